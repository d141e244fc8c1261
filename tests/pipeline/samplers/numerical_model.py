"""A denoiser that is a formula, and walks through it by our samplers and by diffusers'."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.families.registry import FAMILIES
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.sampler import Sampler

ALIGNED = next(iter(FAMILIES.values())).aligned_sigmas


def answer(latents: Tensor, timestep: float) -> Tensor:
    """Smooth in both, and not linear in the latents."""
    return torch.tanh(1.3 * latents + 0.2 * torch.sin(2 * latents.roll(1, -1)) + timestep / 1000)


def sampler_of(
    kind: Scheduler, config: Mapping[str, Any], steps: int, spacing: Spacing = Spacing.NORMAL, made: int | None = None
) -> Sampler:
    return Sampler(kind, config, steps, made, spacing=spacing, aligned=ALIGNED)


def begun(sampler: Sampler, generator: torch.Generator) -> Tensor:
    noise = torch.randn(1, 4, 4, 4, generator=generator)
    return noise * sampler.noise_scale if sampler.whole else sampler.noised(torch.ones_like(noise), noise)


def walked(sampler: Sampler) -> Tensor:
    """Where our walk ends."""
    generator = torch.Generator().manual_seed(0)
    latents = begun(sampler, generator)
    while not sampler.finished:
        prediction = answer(sampler.model_input(latents), float(sampler.timestep))
        latents = sampler.step(prediction, latents, generator)
    return latents


def walked_by_diffusers(scheduler: Any, steps: int, made: int | None = None) -> Tensor:
    """Where diffusers' walk ends, from the same noise; its steps are set."""
    generator = torch.Generator().manual_seed(0)
    latents: Tensor = torch.randn(1, 4, 4, 4, generator=generator)
    skipped = 0 if made is None else (steps - made) * scheduler.order
    timesteps = scheduler.timesteps[skipped:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped)
    if skipped:
        latents = scheduler.add_noise(torch.ones_like(latents), latents, timesteps[:1])
    else:
        latents = latents * scheduler.init_noise_sigma
    extra = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for timestep in timesteps:
        prediction = answer(scheduler.scale_model_input(latents, timestep), float(timestep))
        (latents, *_) = scheduler.step(prediction, timestep, latents, return_dict=False, **extra)
    return latents


def distance(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())
