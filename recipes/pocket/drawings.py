"""The drawings that images are composed of: one atlas in a file, and in memory a pyramid of sizes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from recipes.pocket.scenes import STYLES

SIDE = 144
"""The side of each drawing in the atlas, in pixels; an image shows none much larger."""

COLUMNS = 16383 // SIDE
"""As many as WebP's widest image holds."""

LEVELS = 3
"""Each level is half as wide as the one before; a drawing is taken from the level nearest to its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawings:
    """RGBA from 0 to 1, colours multiplied by alpha, one tensor a level: (concept times style, 4, side, side)."""

    levels: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.levels[0])

    @property
    def concept_count(self) -> int:
        """How many things there are drawings of."""
        return len(self) // len(STYLES)


def save_atlas(atlas: Image.Image, path: Path) -> None:
    """Writes the atlas; its losses are invisible at the sizes that images show."""
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    atlas.save(partial, format="WEBP", quality=80, alpha_quality=85, method=2)
    partial.replace(path)


def load_drawings(path: Path, concept_count: int, device: torch.device, dtype: torch.dtype) -> Drawings:
    """The atlas's drawings of the first `concept_count` concepts."""
    with Image.open(path) as atlas:
        pixels = torch.from_numpy(np.asarray(atlas.convert("RGBA")).copy())
    rows, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    tiles = pixels.view(rows, SIDE, columns, SIDE, 4).permute(0, 2, 4, 1, 3).reshape(-1, 4, SIDE, SIDE)
    return as_drawings(tiles[: concept_count * len(STYLES)].to(device), dtype)


def as_drawings(tiles: Tensor, dtype: torch.dtype = torch.float32) -> Drawings:
    """Drawings from RGBA bytes (concept times style, 4, side, side)."""
    levels: list[list[Tensor]] = [[] for _ in range(LEVELS)]
    for some in torch.split(tiles, 64):
        rgba = some.float() / 255
        rgba[:, :3] *= rgba[:, 3:]
        for number, level in enumerate(levels):
            level.append((functional.avg_pool2d(rgba, 2**number) if number else rgba).to(dtype))
    return Drawings(levels=tuple(torch.cat(level) for level in levels))
