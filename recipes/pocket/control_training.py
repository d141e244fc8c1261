"""Training of the ControlNet: one net for every kind of map that needs no model to draw; the UNet is frozen."""

import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from pipeline.control.annotators import ANNOTATORS, control_map
from recipes.pocket.backgrounds import BACKGROUND_COLOURS
from recipes.pocket.captions import training_caption
from recipes.pocket.conditioning import CaptionReader
from recipes.pocket.scenes import Concept, Scene
from recipes.pocket.training import Plan
from recipes.pocket.unet_training import question_about

PLAN = Plan(steps=4800, batch=16, rate=2e-3, warmup=50, cooldown=0.4, average=0.99, save_seconds=240)
KINDS = tuple(ANNOTATORS)
FOLDER = "+".join(KINDS)
EMBEDDING = (8, 16, 16, 32)

WITHOUT_WORDS = 0.5
"""Words alone tell the UNet a whole icon; without them it has to look at the map."""

SMALLEST, LARGEST = 0.55, 1.1
FARTHEST = 0.25
MOST_TURNED = 0.5
"""How icons are moved, so that the map says what no caption does: scales, parts of half a side, radians."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlExamples:
    """The icons, their names, and the frozen parts: UNet, autoencoder and caption reader."""

    scenes: list[Scene]
    concepts: list[Concept]
    sprites: Tensor
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    reader: CaptionReader


def build_control(unet: UNet2DConditionModel) -> ControlNetModel:
    """The net before training: the UNet's own first half, and last layers that add nothing.

    The map's embedding begins at random and not at zero: it has no effect before those layers learn.
    """
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=EMBEDDING)
    torch.nn.init.kaiming_normal_(net.controlnet_cond_embedding.conv_out.weight)
    return net


def loss(net: ControlNetModel, examples: ControlExamples, batch: int, generator: torch.Generator) -> Tensor:
    """The UNet's own loss, with the net's residuals for a map of each moved icon, of a random kind and detail."""
    rng = random.Random(int(torch.randint(2**62, (1,), generator=generator)))  # noqa: S311 (chance, not secrecy)
    scenes = rng.choices(examples.scenes, k=batch)
    moved = moved_images(examples.sprites, scenes, rng)
    with torch.no_grad():
        clean = examples.vae.encode(moved).latent_dist.sample(generator) * examples.vae.config.scaling_factor
    asked = question_about(clean, examples.reader.read([_caption(scene, examples, rng) for scene in scenes]), generator)
    drawn = [control_map(rng.choice(KINDS), one, rng.uniform(-1, 1)) for one in images(moved)]
    down, mid = net(
        asked.noisy,
        asked.steps,
        asked.words.states,
        controlnet_cond=hints(drawn),
        added_cond_kwargs=asked.words.added(),
        return_dict=False,
    )
    answer = asked.ask(examples.unet, down_block_additional_residuals=down, mid_block_additional_residual=mid)
    return asked.error(answer)


def moved_images(sprites: Tensor, scenes: list[Scene], rng: random.Random) -> Tensor:
    """The scenes with their icons mirrored, turned, smaller or elsewhere: (batch, 3, height, width), -1 to 1."""
    chosen = sprites[[scene.concept for scene in scenes], [scene.style for scene in scenes]].float()
    grid = torch.nn.functional.affine_grid(torch.stack([_move(rng) for _ in scenes]), list(chosen.shape), False)
    colour, alpha = chosen[:, :3] * chosen[:, 3:] / 255, chosen[:, 3:]
    # Premultiplied, so that nothing shines through at the edges.
    icons = torch.nn.functional.grid_sample(torch.cat([colour, alpha], dim=1), grid, align_corners=False)
    colour, alpha = icons[:, :3] / 255, icons[:, 3:] / 255
    behind = BACKGROUND_COLOURS[[scene.background for scene in scenes]]
    return (colour + behind[:, :, None, None] * (1 - alpha)) * 2 - 1


def _move(rng: random.Random) -> Tensor:
    """The affine map from each pixel of the new image to the old one: (2, 3)."""
    scale, turn = rng.uniform(SMALLEST, LARGEST), rng.uniform(-MOST_TURNED, MOST_TURNED)
    mirror = rng.choice((-1.0, 1.0))
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale
    away = [rng.uniform(-FARTHEST, FARTHEST) / scale for _ in range(2)]
    return torch.tensor([[mirror * cosine, -sine, away[0]], [mirror * sine, cosine, away[1]]])


def _caption(scene: Scene, examples: ControlExamples, rng: random.Random) -> str | None:
    if rng.random() < WITHOUT_WORDS:
        return None
    return training_caption(scene, examples.concepts[scene.concept], rng).text or None


def hints(maps: list[Image.Image]) -> Tensor:
    """Control maps as a net reads them: (batch, 3, height, width), 0 to 1."""
    return torch.stack([torch.from_numpy(np.asarray(one).copy()).permute(2, 0, 1) for one in maps]).float() / 255


def images(pixels: Tensor) -> list[Image.Image]:
    """Images (batch, 3, height, width) from -1 to 1 as PIL images."""
    levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(one) for one in levels]
