"""From an aspect ratio to a size that the model was made for."""

import math
import re
from typing import Final, Literal, get_args

from pipeline.errors import InvalidRequest

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


def size_like(width: int, height: int, native_size: int) -> tuple[int, int]:
    """As `size_for`, for an image; past 4:1 it is cut to that.

    Args:
        width: of the image, in pixels.
        height: of the image.
        native_size: of the model.

    Returns:
        Width and height.
    """
    return _sized(min(MAX_RATIO, max(1 / MAX_RATIO, width / height)), native_size)


def _sized(ratio: float, native_size: int) -> tuple[int, int]:
    grain = min(64, native_size // 8)
    return _rounded(native_size * math.sqrt(ratio), grain), _rounded(native_size / math.sqrt(ratio), grain)


def _rounded(length: float, grain: int) -> int:
    return max(grain, round(length / grain) * grain)
