"""From an aspect ratio to a size that the model was made for."""

import math
import re
from typing import Final, Literal, get_args

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SIZE, MIN_SIZE

Aspect = Literal["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16"]
ASPECTS: Final[tuple[Aspect, ...]] = get_args(Aspect)
MAX_RATIO: Final = 4.0


def size_for(aspect: str, native_size: int) -> tuple[int, int]:
    """Width and height in pixels with the area of a `native_size` square, in the ratio `aspect` ("16:9").

    Both are multiples of an eighth of the native size, at most 64: the sizes that such models were trained
    on, and that every downsampling of the UNet divides.

    Args:
        aspect: as a member writes it.
        native_size: of the model, in pixels.

    Returns:
        Width and height.

    Raises:
        InvalidRequest: the ratio is unclear, or past 4:1.
    """
    match = re.fullmatch(r"\s*(\d{1,4})\s*[:x/]\s*(\d{1,4})\s*", aspect)
    across, down = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (across and down and 1 / MAX_RATIO <= across / down <= MAX_RATIO):
        raise InvalidRequest("aspect", f"aspect '{aspect:.60}' is unclear; write it as 16:9, between 4:1 and 1:4.")
    return _sized(across / down, native_size)


def size_like(width: int, height: int, native_size: int, most_pixels: int = MAX_SIZE**2) -> tuple[int, int]:
    """As `size_for`, for an image; past 4:1 it is cut to that.

    Args:
        width: of the image, in pixels.
        height: of the image.
        native_size: of the model.
        most_pixels: that are allowed, which may be fewer than the model's.

    Returns:
        Width and height.
    """
    ratio = min(MAX_RATIO, max(1 / MAX_RATIO, width / height))
    across, down = _sized(ratio, native_size)
    if across * down <= most_pixels:
        return across, down
    side = min(native_size, math.isqrt(most_pixels))
    lengths = (side * math.sqrt(ratio), side / math.sqrt(ratio))
    across, down = (max(MIN_SIZE, int(length) // 8 * 8) for length in lengths)
    return across, down


def size_over(width: int, height: int, native_size: int, most_pixels: int) -> tuple[int, int]:
    """The size in which an image is drawn over: its own, up to whole multiples of 8, wherever that can be.

    Args:
        width: of the image, in pixels.
        height: of the image.
        native_size: of the model; an image of less than half its sides is enlarged to it, as it draws nothing so small.
        most_pixels: that are allowed; a larger image is drawn at the native area, where models do best.

    Returns:
        Width and height.
    """
    if width * height < (native_size / 2) ** 2 or min(width, height) < MIN_SIZE:
        return size_like(width, height, native_size, most_pixels)
    whole = whole_size(width, height)
    if whole[0] * whole[1] <= most_pixels and max(whole) <= MAX_SIZE:
        return whole
    pixels = most_pixels if width * height <= most_pixels else min(most_pixels, native_size**2)
    scale = min(1, math.sqrt(pixels / (width * height)), MAX_SIZE / max(width, height))
    smaller = (int(width * scale) // 8 * 8, int(height * scale) // 8 * 8)
    return smaller if min(smaller) >= MIN_SIZE else size_like(width, height, native_size, most_pixels)


def whole_size(width: int, height: int) -> tuple[int, int]:
    """The smallest size that an image fits into and a model can draw.

    Args:
        width: of the image, in pixels.
        height: of the image.

    Returns:
        Width and height, multiples of 8.
    """
    return -(-width // 8) * 8, -(-height // 8) * 8


def _sized(ratio: float, native_size: int) -> tuple[int, int]:
    grain = min(64, native_size // 8)
    return _rounded(native_size * math.sqrt(ratio), grain), _rounded(native_size / math.sqrt(ratio), grain)


def _rounded(length: float, grain: int) -> int:
    return max(grain, round(length / grain) * grain)
