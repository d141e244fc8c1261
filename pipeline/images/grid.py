"""Images side by side as one, under the names of columns and beside those of rows."""

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

_INK: Final = (40, 44, 52)
_PAPER: Final = (255, 255, 255)
_MARGIN: Final = 10
_TALL: Final = 16


def labelled_grid(images: Sequence[Image.Image], columns: Sequence[str], rows: Sequence[str]) -> Image.Image:
    """One sheet of many images, with the name of each column above it and of each row beside it.

    Args:
        images: in RGB and of one size, row by row.
        columns: a name for each; may be empty text.
        rows: as columns; there are as many images as rows times columns.

    Returns:
        The sheet in RGB, on white.
    """
    width, height = images[0].size
    font = ImageFont.load_default(_TALL)
    left = max(round(font.getlength(row)) for row in rows) + 2 * _MARGIN
    wide = max(width, *(round(font.getlength(column)) for column in columns)) + _MARGIN
    top, tall = _TALL + 2 * _MARGIN, height + _MARGIN
    sheet = Image.new("RGB", (left + len(columns) * wide, top + len(rows) * tall), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, name in enumerate(columns):
        pen.text((left + place * wide + (wide - _MARGIN) / 2, top / 2), name, _INK, font, anchor="mm")
    for place, name in enumerate(rows):
        pen.text((_MARGIN, top + place * tall + height / 2), name, _INK, font, anchor="lm")
    for place, image in enumerate(images):
        row, column = divmod(place, len(columns))
        sheet.paste(image, (left + column * wide + (wide - _MARGIN - width) // 2, top + row * tall))
    return sheet
