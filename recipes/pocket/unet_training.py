"""Training of the UNet: v-prediction on encoded images, with captions read by the frozen encoders."""

import random
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from recipes.pocket.architecture import build_scheduler
from recipes.pocket.captions import training_caption
from recipes.pocket.conditioning import CaptionEmbeddings, CaptionReader
from recipes.pocket.scenes import Concept, Scene
from recipes.pocket.training import Plan

PLAN = Plan(steps=8000, batch=32, rate=2e-3, warmup=80, cooldown=0.31, average=0.997, save_seconds=900)
# Steps with less noise than this ratio teach little, and would otherwise outweigh the others (Hang et al., 2023).
MOST_SIGNAL = 5.0

# What the sheet of samples shows during training.
SHOWN = [
    "red fox, glossy style, teal background",
    "red apple, flat style, blue background",
    "penguin, cartoon style, orange background",
    "rocket, flat style, purple background",
    "pizza, glossy style, green background",
    "red car, cartoon style, yellow background",
    "cat, flat style, pink background",
    "house, glossy style, gray background",
    "robot, cartoon style, white background",
    "guitar, flat style, red background",
    "cactus, glossy style, yellow background",
    "octopus, cartoon style, teal background",
    "ice cream, flat style",
    "golden crown, purple background",
    "snowman",
    "sunflower, glossy style",
]

ALPHAS: Tensor = build_scheduler().alphas_cumprod


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentExamples:
    """The encoded images to learn from: scenes, their scaled latents, and the reader of their captions."""

    scenes: list[Scene]
    latents: Tensor
    concepts: list[Concept]
    reader: CaptionReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A batch for a denoiser: noisy at `steps`, with its captions, and the velocity to predict."""

    words: CaptionEmbeddings
    noisy: Tensor
    steps: Tensor
    velocity: Tensor

    def ask(self, unet: UNet2DConditionModel, **more: object) -> Tensor:
        """The velocity that the UNet predicts."""
        answer = unet(self.noisy, self.steps, self.words.states, added_cond_kwargs=self.words.added(), **more)
        velocity: Tensor = answer.sample
        return velocity

    def error(self, predicted: Tensor) -> Tensor:
        """The weighted error of a prediction."""
        errors = (predicted - self.velocity).square().mean(dim=(1, 2, 3))
        return (errors * weights(self.steps)).mean()


def question(examples: LatentExamples, batch: int, generator: torch.Generator) -> Question:
    """A random batch at noise levels of every strength."""
    rows = torch.randint(len(examples.scenes), (batch,), generator=generator)
    captions = _captions(examples, rows.tolist(), generator)
    return question_about(examples.latents[rows].float(), examples.reader.read(captions), generator)


def question_about(clean: Tensor, words: CaptionEmbeddings, generator: torch.Generator) -> Question:
    """A batch of clean latents and their captions, at noise levels of every strength."""
    noise = torch.randn(clean.shape, generator=generator)
    steps = spread_steps(len(clean), generator)
    alphas = ALPHAS[steps][:, None, None, None]
    noisy = alphas.sqrt() * clean + (1 - alphas).sqrt() * noise
    return Question(
        words=words,
        noisy=noisy.contiguous(memory_format=torch.channels_last),
        steps=steps,
        velocity=alphas.sqrt() * noise - (1 - alphas).sqrt() * clean,
    )


def loss(unet: UNet2DConditionModel, examples: LatentExamples, batch: int, generator: torch.Generator) -> Tensor:
    """The weighted error of the predicted velocity over a random batch."""
    asked = question(examples, batch, generator)
    return asked.error(asked.ask(unet))


def _captions(examples: LatentExamples, rows: list[int], generator: torch.Generator) -> list[str | None]:
    rng = random.Random(int(torch.randint(2**62, (1,), generator=generator)))  # noqa: S311 (chance, not secrecy)
    chosen = [examples.scenes[row] for row in rows]
    texts = [training_caption(scene, examples.concepts[scene.concept], rng).text for scene in chosen]
    # Guidance compares with zeros, or with words where there is a negative prompt; an empty text stands for those.
    return [None if text == "" and rng.random() < 0.5 else text for text in texts]


def spread_steps(batch: int, generator: torch.Generator) -> Tensor:
    """Noise levels spread evenly over the batch, which steadies the loss."""
    offsets = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
    return (offsets * len(ALPHAS)).long()


def weights(steps: Tensor) -> Tensor:
    """How much each noise level counts."""
    ratio = ALPHAS[steps] / (1 - ALPHAS[steps])
    return ratio.clamp(max=MOST_SIGNAL) / (ratio + 1)
