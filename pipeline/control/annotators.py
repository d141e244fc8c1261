"""Control maps from images: most by arithmetic alone, no weights, the same bytes every time; the rest by models."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.control.pixels import Pixels
from pipeline.requests.control import ControlKind

Annotator = Callable[[Pixels, float], Pixels]

# The filters' widths are meant for images of this side, as in AUTOMATIC1111's extension.
_REFERENCE_SIDE: Final = 512
_BLOCKS: Final = 8
# A step of ten grey levels: below it is noise.
_FAINTEST: Final = 40.0
# How much darker than paper a stroke is: what is paler is a shade of an image, and keeps its outline alone.
_INK: Final = 96.0
# A board has as good as no levels between its black and its chalk, which a photograph at night has.
_BLACK: Final = 32
_LIGHT: Final = 224
_MOST_BETWEEN: Final = 0.15


def control_map(kind: ControlKind, image: Image.Image, detail: float = 0.0) -> Image.Image:
    """The control map of an image, of the same size.

    Args:
        kind: what the map keeps of the image.
        image: in RGB.
        detail: how much more is kept, as a power of two: 1.0 halves the threshold or the width of the kind's
            filter, -1.0 doubles it. LUMINANCE, QR and the kinds that a model draws ignore it.

    Returns:
        The map in RGB.

    Raises:
        UserError: the kind needs a model that is absent or damaged, or that finds nothing in the image.
    """
    pixels = np.asarray(image)
    annotator = ANNOTATORS.get(kind)
    return Image.fromarray(annotator(pixels, detail) if annotator else _learned(kind, pixels)).convert("RGB")


def _learned(kind: ControlKind, pixels: Pixels) -> Pixels:
    # Not at the top: torch and the models' library take seconds, and most maps need neither.
    from pipeline.control.learned_annotators import learned_map  # noqa: PLC0415

    return learned_map(kind, pixels)


def _edge(pixels: Pixels, detail: float) -> Pixels:
    """Canny, 1986, white on black; the upper threshold is Otsu's (1979) between weak and strong gradients."""
    steepness = _steepness(pixels)
    steepest = max(1.0, float(steepness.max()))
    level, _ = cv2.threshold(_bytes(steepness / steepest * 255), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    high = max(_FAINTEST, level / 255 * steepest) * 2.0**-detail
    return _bytes(cv2.Canny(pixels, high / 2, high))


def _scribble(pixels: Pixels, detail: float) -> Pixels:
    """Extended difference of Gaussians (Winnemöller et al., 2012), white on black; strokes are filled."""
    pixels = _on_paper(pixels)
    near, far = (_blurred(pixels, sigma) for sigma in (0.5, 5.0))
    darker = (far - near).max(axis=2).clip(0, 255)
    return _bytes(
        np.where((2 * darker > 32 * 2.0**-detail) | (_strokes(pixels).max(axis=2) > _INK * 2.0**-detail), 255, 0)
    )


def _lineart(pixels: Pixels, detail: float) -> Pixels:
    """Dark lines by their difference from their surroundings, white on black; wide ones are filled."""
    pixels = _on_paper(pixels)
    strokes = _strokes(pixels).min(axis=2)
    darker = np.maximum((_blurred(pixels, 6.0) - pixels).min(axis=2).clip(0, 255), np.where(strokes > _INK, strokes, 0))
    lines = darker[darker > 8]
    typical = max(16.0, float(np.median(lines))) if lines.size else 16.0
    return _bytes((darker / typical * 255 * 2.0**detail).clip(0, 255))


def _on_paper(pixels: Pixels) -> Pixels:
    """The image, or its negative if it is drawn in light on black."""
    levels = pixels.max(axis=2)
    drawn = (levels < _BLACK).mean() > 1 / 2 and ((levels >= _BLACK) & (levels < _LIGHT)).mean() < _MOST_BETWEEN
    return _bytes(255 - pixels) if drawn else pixels


def _strokes(pixels: Pixels) -> NDArray[np.uint8]:
    """How much darker, in each channel, a pixel is than what surrounds the stroke that it is part of (a black top hat,
    Meyer, 1978).

    A difference of Gaussians sees of a stroke that is wider than its filters the two edges alone.
    """
    width = max(9, _side(pixels) // 16 | 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.morphologyEx(pixels, cv2.MORPH_BLACKHAT, brush))


def _softedge(pixels: Pixels, detail: float) -> Pixels:
    """Gradients at three widths in one, brighter where all agree: wide and smooth, as HED draws them."""
    found = np.mean([_steepness(_blurred(pixels, sigma)) * sigma for sigma in (1.0, 2.0, 4.0)], axis=0)
    clear = found[found > _FAINTEST / 2]
    strong = max(_FAINTEST, float(np.percentile(clear, 90))) if clear.size else _FAINTEST
    return _bytes((found / strong * 2.0**detail).clip(0, 1) * 255)


def _tile(pixels: Pixels, detail: float) -> Pixels:
    """The image without what is finer than an eighth of it."""
    return _patches(pixels, round(_side(pixels) / 64 * 2.0**-detail), cv2.INTER_CUBIC)


def _color(pixels: Pixels, detail: float) -> Pixels:
    """The mean colours of squares, eight of them along the shorter side."""
    return _patches(pixels, round(_side(pixels) / _BLOCKS * 2.0**-detail), cv2.INTER_NEAREST)


def _luminance(pixels: Pixels, detail: float) -> Pixels:  # noqa: ARG001 - an annotator's signature
    """Its grey levels."""
    return _bytes(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _qr(pixels: Pixels, detail: float) -> Pixels:  # noqa: ARG001 - an annotator's signature
    """Black and white, parted at Otsu's level (1979)."""
    return _bytes(cv2.threshold(_luminance(pixels, 0.0), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


ANNOTATORS: Final[Mapping[ControlKind, Annotator]] = {
    ControlKind.EDGE: _edge,
    ControlKind.SCRIBBLE: _scribble,
    ControlKind.LINEART: _lineart,
    ControlKind.SOFTEDGE: _softedge,
    ControlKind.TILE: _tile,
    ControlKind.COLOR: _color,
    ControlKind.LUMINANCE: _luminance,
    ControlKind.QR: _qr,
}
"""The kinds whose maps need no model."""


def _patches(pixels: Pixels, side: int, back: int) -> Pixels:
    """The image from the mean of each square of `side` pixels."""
    height, width = pixels.shape[:2]
    small = (max(1, round(width / max(1, side))), max(1, round(height / max(1, side))))
    means = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    return _bytes(cv2.resize(means, (width, height), interpolation=back))


def _blurred(pixels: Pixels, sigma: float) -> NDArray[np.float32]:
    scaled = max(0.3, sigma * _side(pixels) / _REFERENCE_SIDE)
    return np.asarray(cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), scaled))


def _steepness(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """The gradient's length in the steepest channel, as Canny measures it: across plus down."""
    across, down = (cv2.Sobel(pixels, cv2.CV_32F, *step) for step in ((1, 0), (0, 1)))
    return np.asarray((np.abs(across) + np.abs(down)).max(axis=2))


def _side(pixels: Pixels) -> int:
    return min(int(side) for side in pixels.shape[:2])


def _bytes(levels: Any) -> Pixels:
    return np.asarray(levels).astype(np.uint8)
