"""Untrusted images: judged by content, bounded before they are decoded, turned upright, stripped to their pixels."""

import io
import math
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PIL import Image, ImageOps, ImageStat

from pipeline.errors import InvalidRequest
from pipeline.requests.control import ResizeMode

MAX_BYTES: Final = 200 * 2**20
MAX_PIXELS: Final = 32_000_000
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

_TOO_LARGE_FILE: Final = "The {field} is too large: {size:.1f} of {most:.0f} MB; send a smaller one."
_TOO_LARGE: Final = f"The {{field}} has more than {MAX_PIXELS / 1e6:.0f} million pixels; send a smaller one."

_MIDDLE_GREY: Final = 127.5
_DEEP_MODES: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "F"})
_TRANSPARENT_MODES: Final = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})


class Ground(StrEnum):
    """What is put under an image where it is transparent; a file may hold any colour there, which nobody sees."""

    NONE = "none"
    BLACK = "black"
    CONTRAST = "contrast"
    """White; black where what is seen of it is light: lines drawn on nothing show on either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """An upright RGB image without metadata; `alpha` (L) is its transparency, None where it is opaque."""

    rgb: Image.Image
    alpha: Image.Image | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.size


def read_image(data: bytes, field: str = "image", max_bytes: int = MAX_BYTES) -> InputImage:
    """Decode an image file, whatever its name or type says.

    Args:
        data: a file in one of FORMATS.
        field: the option that names it, for the sentence of an error.
        max_bytes: nothing is decoded of a longer file, nor of one with more than MAX_PIXELS pixels.

    Returns:
        The pixels, upright as the file's EXIF orientation says.

    Raises:
        InvalidRequest: the file is no image, is animated or too large.
    """
    check_bytes(len(data), field, max_bytes)
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a bomb where our own limit, which is lower, already refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, field)
                return _upright(image)
    except InvalidRequest:
        raise
    except MemoryError as error:
        sentence = f"The {field} takes too much memory to open; save it as a plain PNG or JPEG and send that."
        raise InvalidRequest(field, sentence) from error
    except Image.DecompressionBombError as error:
        raise InvalidRequest(field, _TOO_LARGE.format(field=field)) from error
    except Exception as error:
        # Whatever a decoder of hostile bytes raises: the bytes are no image that we can read.
        raise InvalidRequest(field, f"The {field} cannot be read; send a PNG, JPEG or WebP picture.") from error


def check_bytes(size: int, field: str, max_bytes: int) -> None:
    """Check a file before it is read.

    Args:
        size: of the file, in bytes.
        field: as in `read_image`.
        max_bytes: as in `read_image`.

    Raises:
        InvalidRequest: it is too large; names both sizes.
    """
    if size > max_bytes:
        sentence = _TOO_LARGE_FILE.format(field=field, size=size / 2**20, most=max_bytes / 2**20)
        raise InvalidRequest(field, sentence)


def grounded(image: InputImage, ground: Ground) -> Image.Image:
    """An image as it is seen on a ground.

    Args:
        image: with or without a transparent part.
        ground: what is put under it.

    Returns:
        In RGB; the pixels as they are in the file where there is no ground.
    """
    if image.alpha is None or ground is Ground.NONE:
        return image.rgb
    seen = image.alpha.point(lambda level: 255 if level else 0)
    light = seen.getbbox() is not None and ImageStat.Stat(image.rgb.convert("L"), seen).mean[0] > _MIDDLE_GREY
    colour = "black" if ground is Ground.BLACK or light else "white"
    return Image.composite(image.rgb, Image.new("RGB", image.size, colour), image.alpha)


def within(image: Image.Image, pixels: int) -> Image.Image:
    """An image with no more pixels than that.

    Args:
        image: in RGB or grey (L).
        pixels: the most that it may have.

    Returns:
        The image itself, or a smaller one in its proportions.
    """
    width, height = image.size
    if width * height <= pixels:
        return image
    scale = math.sqrt(pixels / (width * height))
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def resized(image: Image.Image, size: tuple[int, int], mode: ResizeMode = ResizeMode.CROP) -> Image.Image:
    """An image in another size.

    Args:
        image: in RGB or grey (L).
        size: (width, height) in pixels.
        mode: CROP cuts what is over, FIT adds a black border, FILL stretches.

    Returns:
        In the same mode of colours.
    """
    match mode:
        case ResizeMode.CROP:
            return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        case ResizeMode.FIT:
            return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color=0)
        case ResizeMode.FILL:
            return image.resize(size, Image.Resampling.LANCZOS)


def is_mostly_light(image: Image.Image) -> bool:
    """Whether an image is a drawing on paper rather than light lines on black.

    Args:
        image: of any mode.

    Returns:
        True where its mean grey level is above 127.5 of 255.
    """
    return bool(ImageStat.Stat(image.convert("L")).mean[0] > _MIDDLE_GREY)


def _check(image: Image.Image, field: str) -> None:
    """What the header says is enough to refuse: no pixel is decoded, and no page after the second is looked for."""
    if image.width * image.height > MAX_PIXELS:
        raise InvalidRequest(field, _TOO_LARGE.format(field=field))
    # A camera's JPEG may hold a preview and a map of distances behind its one image (MPO).
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise InvalidRequest(field, f"The {field} is animated or has several pages; send a single picture.")


def _upright(image: Image.Image) -> InputImage:
    """In place where that is possible: an image of MAX_PIXELS takes 128 MB for each copy."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in _DEEP_MODES:
        return InputImage(rgb=_plain(_eight_bits(image).convert("RGB")), alpha=None)
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        whole = image if image.mode == "RGBA" else image.convert("RGBA")
        alpha = whole.getchannel("A")
        opaque = alpha.getextrema() == (255, 255)
        return InputImage(rgb=_plain(whole.convert("RGB")), alpha=None if opaque else _plain(alpha))
    return InputImage(rgb=_plain(image.convert("RGB")), alpha=None)


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of deep grey levels, their highest as white: Pillow's own conversion cuts them off."""
    deep = image.convert("F")
    highest = max(1.0, _highest(deep)) if image.mode == "F" else 65535.0
    return deep.point(lambda level: level * (255.0 / highest)).convert("L")


def _highest(image: Image.Image) -> float:
    """The highest level of a grey image."""
    extrema = image.getextrema()
    assert not isinstance(extrema[1], tuple), "grey has one band"
    return float(extrema[1])


def _plain(image: Image.Image) -> Image.Image:
    """A decoded image, from now on without what the file said beside its pixels."""
    image.info = {}
    return image
