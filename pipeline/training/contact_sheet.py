"""Images about a training: its samples, and the plot of its loss."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_INK: Final = (40, 44, 52)
_PAPER: Final = (255, 255, 255)
_LINE: Final = (75, 130, 235)
_PLOT: Final = (320, 120)
_MARGIN: Final = 10
_TALL: Final = 16


def progress_sheet(losses: Sequence[float], samples: Sequence[Tensor]) -> bytes:
    """The plot of the loss on fixed inputs above the newest samples.

    Args:
        losses: all so far; from two on there is a line.
        samples: images (3, height, width) from 0 to 1; the first four are shown.

    Returns:
        A small JPEG.
    """
    shown = [image(one).resize((_PLOT[0] // 4, _PLOT[0] // 4), Image.Resampling.LANCZOS) for one in samples[:4]]
    sheet = Image.new("RGB", (_PLOT[0], _PLOT[1] + (_PLOT[0] // 4 if shown else 0)), _PAPER)
    _plot(ImageDraw.Draw(sheet), losses)
    for place, one in enumerate(shown):
        sheet.paste(one, (place * one.width, _PLOT[1]))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=85)
    return file.getvalue()


def _plot(pen: ImageDraw.ImageDraw, losses: Sequence[float]) -> None:
    width, height = _PLOT[0] - 2 * _MARGIN, _PLOT[1] - 2 * _MARGIN - _TALL
    pen.text((_MARGIN, _MARGIN / 2), "loss on fixed inputs", _INK, ImageFont.load_default(_TALL - 4))
    if len(losses) < 2:
        return
    low, high = min(losses), max(losses)
    spread = (high - low) or 1.0
    points = [
        (_MARGIN + width * place / (len(losses) - 1), _MARGIN + _TALL + height * (high - loss) / spread)
        for place, loss in enumerate(losses)
    ]
    pen.line(points, fill=_LINE, width=2)


def image(image: Tensor) -> Image.Image:
    """A tensor as PIL holds an image.

    Args:
        image: (3, height, width) from 0 to 1; what is not finite becomes black.

    Returns:
        The RGB image.
    """
    # Weights that are past help are shown in black, not hidden.
    levels = (np.nan_to_num(image.cpu().numpy()) * 255).round().astype(np.uint8)
    return Image.fromarray(levels.transpose(1, 2, 0))
