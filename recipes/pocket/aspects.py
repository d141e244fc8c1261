"""The sizes that images are made in: every aspect preset, a few more extreme ones, and larger squares."""

from typing import Final

from pipeline.requests.aspect_ratio import ASPECTS, size_for
from recipes.pocket.architecture import NATIVE_SIZE

PRESETS: Final = {aspect: size_for(aspect, NATIVE_SIZE) for aspect in ASPECTS}
"""Width and height of each preset."""

_WILDER = ("21:9", "9:21", "4:1", "1:4")

SHARES: Final = (
    {(NATIVE_SIZE, NATIVE_SIZE): 0.25}
    | {size: 0.09 for size in PRESETS.values() if size[0] != size[1]}
    | {size_for(aspect, NATIVE_SIZE): 0.025 for aspect in _WILDER}
    | {(192, 192): 0.08, (256, 256): 0.03}
)
"""How much of the training each size gets; the squares above the native size keep upscaled images coherent."""
