"""An image with more around it: its canvas grows to one side or all, and what is new is to be drawn."""

from enum import StrEnum
from typing import Final

from PIL import Image

MAX_AMOUNT: Final = 100
"""In percent of the side that grows."""

_OVERLAP: Final = 1 / 16
"""So much of the old image's edge, in parts of its side, is drawn again, so that no seam shows."""


class Direction(StrEnum):
    """Where an image grows; the value is what a member types."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"
    ALL = "all"


def widened(image: Image.Image, direction: Direction, amount: int) -> tuple[Image.Image, Image.Image]:
    """An image on a larger canvas. What is new shows it stretched, so that strengths below 1 have its colours.

    Args:
        image: in RGB.
        direction: where it grows.
        amount: in percent of the side that grows.

    Returns:
        The canvas, and its mask (L), white where it is new.
    """
    left, upper, right, lower = _margins(image.size, direction, amount)
    size = widened_size(image.size, direction, amount)
    canvas = image.resize(size)
    canvas.paste(image, (left, upper))
    mask = Image.new("L", size, 255)
    overlap = [round(side * _OVERLAP) for side in image.size]
    kept = (
        left + (overlap[0] if left else 0),
        upper + (overlap[1] if upper else 0),
        left + image.width - (overlap[0] if right else 0),
        upper + image.height - (overlap[1] if lower else 0),
    )
    mask.paste(0, kept)
    return canvas, mask


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
