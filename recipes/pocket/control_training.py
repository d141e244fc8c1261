"""Training of the ControlNet: one net that follows edges, scribbles and drawn lines alike, the UNet left as it is."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from pipeline.annotators import control_map
from pipeline.control_kind import ControlKind
from recipes.pocket.rendering import pictures
from recipes.pocket.scenes import Scene
from recipes.pocket.training import Plan
from recipes.pocket.unet_training import Lessons, question

PLAN = Plan(steps=1000, batch=16, rate=1e-3, warmup=50, cooldown=0.5, average=0.99, save_seconds=300)
KINDS = (ControlKind.EDGE, ControlKind.SCRIBBLE, ControlKind.LINEART)
FOLDER = "+".join(KINDS)
EMBEDDING = (8, 16, 16, 32)


def build_control(unet: UNet2DConditionModel) -> ControlNetModel:
    """The net before training: the UNet's own first half, and last layers that add nothing."""
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=EMBEDDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLessons:
    """What the UNet learnt from, the UNet, frozen, and the icons that maps are drawn of."""

    lessons: Lessons
    unet: UNet2DConditionModel
    sprites: Tensor


def loss(net: ControlNetModel, taught: ControlLessons, batch: int, generator: torch.Generator) -> Tensor:
    """As the UNet's own loss, with what the net adds for a map of each picture, of a random kind and detail."""
    asked = question(taught.lessons, batch, generator)
    rng = random.Random(int(torch.randint(2**62, (1,), generator=generator)))  # noqa: S311 (chance, not secrecy)
    scenes = [taught.lessons.scenes[row] for row in asked.rows]
    hints = maps(taught.sprites, scenes, [(rng.choice(KINDS), rng.uniform(-1, 1)) for _ in scenes])
    down, mid = net(
        asked.noisy,
        asked.steps,
        asked.words.states,
        controlnet_cond=hints,
        added_cond_kwargs=asked.words.added(),
        return_dict=False,
    )
    return asked.error(asked.ask(taught.unet, down_block_additional_residuals=down, mid_block_additional_residual=mid))


def maps(sprites: Tensor, scenes: list[Scene], asked: list[tuple[ControlKind, float]]) -> Tensor:
    """The control maps of scenes, each of a kind and detail: (batch, 3, height, width), 0 to 1."""
    drawn = [
        control_map(kind, picture, detail)
        for (kind, detail), picture in zip(asked, images(pictures(sprites, scenes)), strict=True)
    ]
    return torch.stack([torch.from_numpy(np.asarray(one).copy()).permute(2, 0, 1) for one in drawn]).float() / 255


def images(pixels: Tensor) -> list[Image.Image]:
    """Pictures (batch, 3, height, width) from -1 to 1 as PIL holds them."""
    levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(one) for one in levels]
