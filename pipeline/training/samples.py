"""Images that a model draws while it is trained: samples, and the class as it was before."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.files import write_atomically
from pipeline.training.config import TrainingConfig
from pipeline.training.examples import TrainingExample
from pipeline.training.model import PromptEmbeddings, TrainedModel

_AT_ONCE: Final = 8


@torch.no_grad()
def draw(model: TrainedModel, prompts: Sequence[str], seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
    """Images of prompts as a member gets them: the model's own sampler, steps and guidance.

    Args:
        model: draws with the weights that are in force.
        prompts: one an image, without weights.
        seeds: one an image, of its first noise.
        size: height and width in pixels.

    Returns:
        (rows, 4, height, width) in latents, scaled.
    """
    drawn = [
        _draw(model, prompts[at : at + _AT_ONCE], seeds[at : at + _AT_ONCE], size)
        for at in range(0, len(prompts), _AT_ONCE)
    ]
    # In one layout, whatever the UNet's: where numbers lie decides how a loss over them is rounded.
    return torch.cat(drawn).contiguous()


def class_examples(model: TrainedModel, plan: TrainingConfig, cache: Path) -> list[TrainingExample]:
    """Images of the plain class by the untrained model, drawn once for each model and class.

    Args:
        model: its trained weights are switched off for this.
        plan: has the class prompt and how many.
        cache: a folder in which they are kept.

    Returns:
        One example an image.

    Raises:
        UserError: the model's weights are no numbers.
    """
    facts = model.checkpoint.facts
    size = (facts.height, facts.width)
    asked = f"{facts.hash} {plan.class_prompt} {plan.class_images} {model.hardware.dtype_name}"
    path = cache / f"{hashlib.sha256(asked.encode()).hexdigest()}.safetensors"
    if path.exists():
        latents = load_file(path)["latents"].to(model.hardware.device)
    else:
        with model.weights.at(0.0):
            latents = draw(model, [plan.class_prompt] * plan.class_images, range(plan.class_images), size)
        if not latents.isfinite().all():
            raise UserError(f"'{facts.name}' draws no picture of '{plan.class_prompt}'; ask an admin to pull it again.")
        cache.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            save_file({"latents": latents.cpu()}, file)
    return [
        TrainingExample(mean=one[None], deviation=torch.zeros_like(one[None]), prompt=plan.class_prompt, size=size)
        for one in latents
    ]


def _draw(model: TrainedModel, prompts: Sequence[str], seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
    facts, device = model.checkpoint.facts, model.hardware.device
    sampler = model.schedule.sampler(facts.scheduler, facts.steps, spacing=facts.spacing)
    latents = _noise(model, seeds, size) * sampler.noise_scale
    words = PromptEmbeddings.stacked([model.unconditional().rows(len(prompts)), *map(model.words, prompts)])
    sizes = torch.tensor([[*size, 0, 0, *size]], dtype=torch.float32, device=device).repeat(2 * len(prompts), 1)
    generator = torch.Generator().manual_seed(seeds[0])
    while not sampler.finished:
        seen = sampler.model_input(latents)
        steps = sampler.timestep.to(device).expand(2 * len(prompts))
        plain, worded = model.answer(torch.cat([seen, seen]), steps, words, sizes).chunk(2)
        latents = sampler.step(plain + facts.guidance_scale * (worded - plain), latents, generator)
    return latents


def _noise(model: TrainedModel, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
    factor = model.checkpoint.scale_factor
    shape = (1, model.unet.config.in_channels, size[0] // factor, size[1] // factor)
    rows = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.cat(rows).to(model.hardware.device)
