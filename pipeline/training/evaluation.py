"""How good trained weights are, judged by the untrained model itself, so that no other one must be there.

Its features of an image (Tang et al., 2023; arXiv 2306.03881) tell how alike two images are; how well it denoises
one with a prompt tells whether the image shows what the prompt says (Li et al., 2023; arXiv 2303.16203).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.training.config import TrainingConfig
from pipeline.training.examples import TrainingExample
from pipeline.training.model import PromptEmbeddings, TrainedModel
from pipeline.training.report import Scores
from pipeline.training.samples import draw

_FEATURE_STEP: Final = 0.25
"""Of the model's timesteps: little enough noise to see what is there, enough that single pixels do not count."""

_JUDGED_STEPS: Final = (0.5, 0.7, 0.9)
"""Where a prompt still decides what comes of the noise."""

_FEW: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """What weights are measured against: features of the training images, and images of the class before."""

    model: TrainedModel
    plan: TrainingConfig
    real: Tensor
    plain: Tensor
    plain_latents: Tensor

    @classmethod
    def of(cls, model: TrainedModel, plan: TrainingConfig, examples: Sequence[TrainingExample]) -> "Evaluator":
        """Read the training images, and draw the class as it is before any training.

        Args:
            model: whose weights are not trained yet, or can be switched off.
            plan: has the prompts.
            examples: what the training learns from.

        Returns:
            The evaluator of this training.
        """
        facts = model.checkpoint.facts
        with model.weights.at(0.0):
            before = draw(model, [plan.class_prompt] * _FEW, range(_FEW), (facts.height, facts.width))
            real = torch.cat([features(model, example.mean, plan.class_prompt) for example in examples])
            plain = features(model, before, plan.class_prompt)
        return cls(model=model, plan=plan, real=real, plain=plain, plain_latents=before)

    def evaluate(self) -> Scores | None:
        """Score the weights that are in force.

        Returns:
            The scores; None where what the weights draw is no image.
        """
        facts, plan, model = self.model.checkpoint.facts, self.plan, self.model
        size = (facts.height, facts.width)
        prompts = [template.format(plan.instance_prompt) for template in plan.templates] * 2
        samples = draw(model, prompts, range(len(prompts)), size)
        after = draw(model, [plan.class_prompt] * _FEW, range(_FEW), size)
        if not (samples.isfinite().all() and after.isfinite().all()):
            return None
        with model.weights.at(0.0):
            seen = features(model, samples, plan.class_prompt)
            shown = _shown(model, samples, plan)
        centre = self.plain.mean(dim=0)
        return Scores(
            subject=_share(_likeness(seen - centre, self.real - centre), _likeness_within(self.real - centre)),
            prompt=shown,
            kept=_kept(self.plain_latents, after),
        )


@torch.no_grad()
def features(model: TrainedModel, latents: Tensor, prompt: str) -> Tensor:
    """What the denoiser's middle and first rising block see in images (Tang et al., 2023; arXiv 2306.03881).

    Args:
        model: is read with the weights that are in force.
        latents: (rows, 4, height, width), scaled.
        prompt: what the images show.

    Returns:
        (rows, features), each block's part of length 1.
    """
    rows = len(latents)
    noise = torch.randn(latents.shape[1:], generator=torch.Generator().manual_seed(0)).to(latents.device)
    steps = torch.full((rows,), int(_FEATURE_STEP * model.schedule.timesteps), device=latents.device)
    noisy = model.schedule.add_noise(latents, noise.expand_as(latents), steps)
    blocks = [block for block in (model.unet.mid_block, model.unet.up_blocks[0]) if block is not None]
    with _watched(blocks) as seen:
        model.answer(noisy, steps, model.words(prompt).rows(rows), _square(latents, model))
    return torch.cat([functional.normalize(_pooled(one.float()), dim=1) for one in seen], dim=1)


def _pooled(maps: Tensor) -> Tensor:
    """Mean and deviation of each channel: what is there, wherever it is."""
    return torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1)


@contextmanager
def _watched(blocks: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """The outputs of `blocks` in the forward inside this block."""
    seen: list[Tensor] = []

    def note(_: nn.Module, __: Any, output: Tensor) -> None:
        seen.append(output)

    handles = [block.register_forward_hook(note) for block in blocks]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _shown(model: TrainedModel, samples: Tensor, plan: TrainingConfig) -> float:
    """The share of samples that their own prompt, said of the class, explains best.

    Some prompts explain every image better than others do, and some images are harder: both means are taken off.
    """
    words = [model.words(template.format(plan.class_prompt)) for template in plan.templates]
    errors = torch.stack([_errors(model, samples, one) for one in words])
    errors = errors - errors.mean(dim=1, keepdim=True)
    own = torch.arange(len(samples), device=samples.device) % len(words)
    return float((errors.argmin(dim=0) == own).float().mean())


def _kept(before: Tensor, after: Tensor) -> float:
    """1 where each image is still what it was, 0 where it is as far from that as another image of the class is."""
    moved = (after - before).flatten(1).norm(dim=1).mean()
    apart = (before - before.roll(1, dims=0)).flatten(1).norm(dim=1).mean()
    return float((1 - moved / apart).clamp(0, 1))


def _errors(model: TrainedModel, latents: Tensor, words: PromptEmbeddings) -> Tensor:
    """How badly each image is denoised with these words, over a few fixed noises."""
    rows = len(latents)
    total = torch.zeros(rows, device=latents.device)
    for seed, share in enumerate(_JUDGED_STEPS):
        noise = torch.randn(latents.shape[1:], generator=torch.Generator().manual_seed(seed)).to(latents.device)
        steps = torch.full((rows,), int(share * model.schedule.timesteps), device=latents.device)
        noise = noise.expand_as(latents)
        noisy = model.schedule.add_noise(latents, noise, steps)
        answer = model.answer(noisy, steps, words.rows(rows), _square(latents, model))
        total += (answer - model.schedule.target(latents, noise, steps)).square().flatten(1).mean(dim=1)
    return total


def _square(latents: Tensor, model: TrainedModel) -> Tensor:
    factor = model.checkpoint.scale_factor
    size = (latents.shape[-2] * factor, latents.shape[-1] * factor)
    return torch.tensor([[*size, 0, 0, *size]], dtype=torch.float32, device=latents.device).repeat(len(latents), 1)


def _likeness(these: Tensor, those: Tensor) -> float:
    """The mean cosine between rows of the two."""
    return float((functional.normalize(these, dim=1) @ functional.normalize(those, dim=1).T).mean())


def _likeness_within(those: Tensor) -> float:
    """The mean cosine between different rows."""
    alike = functional.normalize(those, dim=1) @ functional.normalize(those, dim=1).T
    count = len(those)
    return float((alike.sum() - alike.trace()) / (count * (count - 1))) if count > 1 else 1.0


def _share(likeness: float, best: float) -> float:
    return max(0.0, likeness / best) if best > 0 else 0.0
