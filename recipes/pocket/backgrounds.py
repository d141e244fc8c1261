"""The plain colours behind drawings."""

import torch
from torch import Tensor

from recipes.pocket.scenes import BACKGROUNDS

BACKGROUND_COLOURS = torch.tensor(list(BACKGROUNDS.values()), dtype=torch.float32) / 255


def on_colour(sprites: Tensor, colours: Tensor) -> Tensor:
    """Sprites (batch, RGBA, height, width), uint8, on one RGB colour each: float images from -1 to 1."""
    rgba = sprites.float() / 255
    colour, alpha = rgba[:, :3], rgba[:, 3:]
    return (colour * alpha + colours[:, :, None, None] * (1 - alpha)) * 2 - 1
