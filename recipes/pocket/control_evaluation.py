"""How well images follow the ControlNet: outlines of the result against the map, with it and without it."""

import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline, StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor

from pipeline.control.annotators import control_map
from pipeline.requests.control import ControlKind
from recipes.pocket.control_training import images, moved_images
from recipes.pocket.sampling import GUIDANCE, STEPS
from recipes.pocket.scenes import Scene

FIGURES = Path(__file__).with_name("control_figures.json")
PAIRS = 200
TOLERANCE = 2
"""In pixels: an outline this near to another counts as the same."""

BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlScore:
    """The mean F1 of outlines over `pairs` images of combinations that training never saw."""

    pairs: int
    with_control: float
    without: float


def evaluate(
    pipe: StableDiffusionXLPipeline, net: ControlNetModel, sprites: Tensor, scenes: list[Scene], prompts: list[str]
) -> ControlScore:
    """Renders each prompt twice from one seed, with the edges of its own icon, moved, and without."""
    rng = random.Random(0)  # noqa: S311 (chance, not secrecy)
    controlled = StableDiffusionXLControlNetPipeline(**pipe.components, controlnet=net, add_watermarker=False)
    controlled.set_progress_bar_config(disable=True)
    scores: tuple[list[float], list[float]] = ([], [])
    for start in range(0, len(scenes), BATCH):
        drawn = [
            control_map(ControlKind.EDGE, one)
            for one in images(moved_images(sprites, scenes[start : start + BATCH], rng))
        ]
        for scale, own in zip((1.0, 0.0), scores, strict=True):
            shown = controlled(
                prompts[start : start + BATCH],
                image=drawn,
                controlnet_conditioning_scale=scale,
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=torch.Generator().manual_seed(start),
            ).images
            own += [f1(wanted, control_map(ControlKind.EDGE, one)) for wanted, one in zip(drawn, shown, strict=True)]
    with_control, without = (float(np.mean(own)) for own in scores)
    return ControlScore(pairs=len(scenes), with_control=with_control, without=without)


def f1(wanted: Image.Image, found: Image.Image) -> float:
    """The harmonic mean of how much of `found` lies on `wanted` and how much of that was found, within TOLERANCE."""
    lines, others = (np.asarray(one.convert("L")) > 127 for one in (wanted, found))
    if not lines.any() or not others.any():
        return float(lines.any() == others.any())
    precision, recall = (others & _thick(lines)).sum() / others.sum(), (lines & _thick(others)).sum() / lines.sum()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def _thick(lines: np.ndarray) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TOLERANCE + 1,) * 2)
    return cv2.dilate(lines.astype(np.uint8), disc) > 0
