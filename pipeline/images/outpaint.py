"""An image with more around it: its canvas grows to one side or all, and what is new is to be drawn."""

from enum import StrEnum
from typing import Final

from PIL import Image, ImageOps

MAX_AMOUNT: Final = 100
"""In percent of the side that grows."""


class Direction(StrEnum):
    """Where an image grows; the value is what a member types."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"
    ALL = "all"


def widened(
    image: Image.Image, direction: Direction, amount: int, mask: Image.Image | None = None
) -> tuple[Image.Image, Image.Image]:
    """An image on a larger canvas. What is new mirrors it, so that no seam lies between them.

    Args:
        image: in RGB.
        direction: where it grows.
        amount: in percent of the side that grows.
        mask: (L) white where the image itself is to be drawn over, too; of any size.

    Returns:
        The canvas, and its mask (L), white where it is new or was marked.
    """
    left, upper, _, _ = _margins(image.size, direction, amount)
    size = widened_size(image.size, direction, amount)
    canvas, drawn = Image.new("RGB", size), Image.new("L", size, 255)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            mirrored = ImageOps.mirror(image) if across else image
            mirrored = ImageOps.flip(mirrored) if down else mirrored
            canvas.paste(mirrored, (left + across * image.width, upper + down * image.height))
    inner = Image.new("L", image.size) if mask is None else mask.resize(image.size, Image.Resampling.NEAREST)
    drawn.paste(inner, (left, upper))
    return canvas, drawn


def widened_size(size: tuple[int, int], direction: Direction, amount: int) -> tuple[int, int]:
    """How large a widened image is.

    Args:
        size: before, width and height in pixels.
        direction: as in `widened`.
        amount: as in `widened`.

    Returns:
        Width and height.
    """
    left, upper, right, lower = _margins(size, direction, amount)
    return size[0] + left + right, size[1] + upper + lower


def _margins(size: tuple[int, int], direction: Direction, amount: int) -> tuple[int, int, int, int]:
    """How many pixels are new on the left, above, on the right and below."""
    across, down = (max(1, side * amount // 100) for side in size)
    match direction:
        case Direction.LEFT:
            return across, 0, 0, 0
        case Direction.RIGHT:
            return 0, 0, across, 0
        case Direction.UP:
            return 0, down, 0, 0
        case Direction.DOWN:
            return 0, 0, 0, down
        case Direction.ALL:
            return across // 2 or 1, down // 2 or 1, across // 2 or 1, down // 2 or 1
