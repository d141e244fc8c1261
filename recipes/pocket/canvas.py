"""Composed scenes as images, on the device of the drawings; also which drawing is where."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipes.pocket.backgrounds import BACKGROUND_COLOURS
from recipes.pocket.composed_batch import ComposedBatch
from recipes.pocket.drawings import LEVELS, SIDE, Drawings


def on(device: torch.device, values: np.ndarray | Tensor) -> Tensor:
    """The values on `device`; the host does not wait for it."""
    return torch.as_tensor(values).to(device, non_blocking=True)


def paint(drawings: Drawings, batch: ComposedBatch) -> Tensor:
    """The images (rows, 3, height, width) from -1 to 1."""
    shown = backdrops(batch, drawings.levels[0])
    for layer in range(batch.drawings.shape[1]):
        for rows, rgba in _layer(drawings, batch, layer):
            shown[rows] = shown[rows] * (1 - rgba[:, 3:]) + rgba[:, :3]
    if batch.coarse.any():
        where = on(shown.device, np.flatnonzero(batch.coarse))
        coarse = functional.avg_pool2d(shown[where], 2)
        shown[where] = functional.interpolate(coarse, scale_factor=2, mode="bilinear")
    return shown * 2 - 1


def masks(drawings: Drawings, batch: ComposedBatch) -> Tensor:
    """How much of each drawing is visible at each pixel: (rows, drawings, height, width), 0 to 1."""
    like = drawings.levels[0]
    count = batch.drawings.shape[1]
    seen = torch.zeros(len(batch.drawings), count, batch.height, batch.width, dtype=like.dtype, device=like.device)
    for layer in range(count):
        for rows, rgba in _layer(drawings, batch, layer):
            seen[rows, :layer] *= 1 - rgba[:, 3:]
            seen[rows, layer] = rgba[:, 3]
    return seen


def backdrops(batch: ComposedBatch, like: Tensor) -> Tensor:
    """The images before anything is drawn on them, 0 to 1."""
    numbers = on(like.device, batch.backdrops)
    colours = BACKGROUND_COLOURS.to(like, non_blocking=True)
    first, second = (colours[numbers[:, part].long()] for part in (0, 1))
    angle, offset, softness = numbers[:, 2:].T[:, :, None, None]
    x = torch.linspace(-0.5, 0.5, batch.width, device=like.device)[None, None, :]
    y = torch.linspace(-0.5, 0.5, batch.height, device=like.device)[None, :, None]
    way = x * angle.cos() + y * angle.sin() - offset
    share = (way / softness + 0.5).clamp(0, 1).to(like.dtype)[:, None]
    blended: Tensor = first[:, :, None, None] * (1 - share) + second[:, :, None, None] * share
    return blended


def _layer(drawings: Drawings, batch: ComposedBatch, layer: int) -> list[tuple[Tensor, Tensor]]:
    """The rows that have such a drawing, and the drawing resampled over the whole image."""
    side = np.maximum(batch.places[:, layer, 2], 1)
    level = np.clip(np.round(np.log2(SIDE / side)), 0, LEVELS - 1)
    found = []
    for number in range(LEVELS):
        rows = np.flatnonzero((batch.drawings[:, layer] >= 0) & (level == number))
        if len(rows):
            tiles = drawings.levels[number]
            chosen = tiles[on(tiles.device, batch.drawings[rows, layer])]
            grid = _grid(on(tiles.device, batch.places[rows, layer]), batch.width, batch.height).to(chosen.dtype)
            where = on(tiles.device, rows)
            found.append((where, functional.grid_sample(chosen, grid, align_corners=False)))
    return found


def _grid(places: Tensor, width: int, height: int) -> Tensor:
    """The position in its drawing of each pixel of the image."""
    x, y, side, tilt, mirror = places.T[:, :, None, None]
    across = (torch.arange(width, device=places.device) + 0.5)[None, None, :] - x
    down = (torch.arange(height, device=places.device) + 0.5)[None, :, None] - y
    cosine, sine = tilt.cos(), tilt.sin()
    along = (across * cosine + down * sine) * mirror
    return torch.stack([along, down * cosine - across * sine], dim=-1).div(side[..., None] / 2)
