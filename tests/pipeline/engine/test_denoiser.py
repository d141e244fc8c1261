"""The engine's latents against those of diffusers' own pipelines, in float32."""

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from torch import Tensor

from pipeline.engine.denoiser import DenoisingState
from pipeline.engine.loaded_model import LoadedModel
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.samplers import sampler as samplers
from tests.pipeline.conftest import a_request

PIPELINES = {"pocket": StableDiffusionXLPipeline, "nano": StableDiffusionXLPipeline, "sd15": StableDiffusionPipeline}
# DDIM clips its guess of the image where the model's config says so, and a clip magnifies rounding.
TOLERANCE = {scheduler: 1e-3 if scheduler is Scheduler.DDIM else 1e-5 for scheduler in Scheduler}


def mixed_requests() -> list[ImageRequest]:
    """Every scheduler, with and without guidance, rescale, a negative prompt; steps, seeds, prompts differ."""
    guidance = cycle(((5.0, 0.0, ""), (1.0, 0.0, ""), (7.5, 0.6, "blue"), (0.0, 0.0, "")))
    prompts = cycle(("red fox, glossy style", "a very long prompt " * 6, "green apple"))
    requests = []
    for seed, scheduler in enumerate(Scheduler):
        scale, rescale, negative = next(guidance)
        requests.append(
            a_request(
                prompt=next(prompts),
                negative_prompt=negative,
                steps=2 + seed % 3,
                guidance_scale=scale,
                guidance_rescale=rescale,
                scheduler=scheduler,
                seed=seed,
            )
        )
    return requests


def run_together(loaded_model: LoadedModel, requests: Sequence[ImageRequest], bucket: int) -> list[Tensor]:
    """All requests in one batch, each joining one step after the one before it."""
    memory = loaded_model.denoiser.open(bucket, pages=0)
    incoming = [loaded_model.begin(request, ()) for request in requests]
    everyone, running, free = list(incoming), list[DenoisingState](), iter(range(bucket))
    while incoming or running:
        if incoming:
            newcomer = incoming.pop(0)
            loaded_model.denoiser.assign(memory, newcomer, tuple(islice(free, newcomer.conditioning.rows)))
            running.append(newcomer)
        loaded_model.denoiser.advance(memory, running)
        running = [rendering for rendering in running if not rendering.sampler.finished]
    return [rendering.latents for rendering in everyone]


def run_diffusers(pipeline: Any, request: ImageRequest, config: Any) -> Tensor:
    pipeline.scheduler = samplers.SCHEDULER_CLASSES[request.scheduler].from_config(config)
    latents: Tensor = pipeline(
        request.prompt,
        negative_prompt=request.negative_prompt or None,
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        guidance_rescale=request.guidance_rescale,
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
    ).images
    return latents


def load_pipeline(name: str, folder: Path) -> Any:
    pipeline = PIPELINES[name].from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize("name", PIPELINES)
def test_latents_equal_those_of_diffusers(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """In one mixed batch, for every scheduler, joining one after another."""
    requests = mixed_requests()
    pipeline = load_pipeline(name, model_folder(name))
    config = dict(pipeline.scheduler.config)

    ours = run_together(loaded_model(name), requests, bucket=16)

    for request, latents in zip(requests, ours, strict=True):
        expected = run_diffusers(pipeline, request, config)
        error = float((latents - expected).norm() / expected.norm())
        assert error < TOLERANCE[request.scheduler], f"{request.scheduler}: {error:.1e}"


@pytest.mark.parametrize("name", ["pocket", "sd15"])
def test_neighbours_and_place_change_no_bit(name: str, loaded_model: Callable[[str], LoadedModel]) -> None:
    """For a fixed bucket: alone, among others, and in another order."""
    requests = mixed_requests()
    together = run_together(loaded_model(name), requests, bucket=16)
    backwards = run_together(loaded_model(name), requests[::-1], bucket=16)[::-1]

    for index in (1, 4):
        alone = run_together(loaded_model(name), [requests[index]], bucket=16)[0]

        assert torch.equal(alone, together[index])
        assert torch.equal(alone, backwards[index])


def test_pixels_equal_those_of_diffusers(
    loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """The decode stage, within a rounding of one level."""
    request = a_request(width=72, height=104)
    pipeline = load_pipeline("pocket", model_folder("pocket"))
    latents = run_together(loaded_model("pocket"), [request], bucket=2)[0]

    ours = loaded_model("pocket").denoiser.decode(latents)

    decoded = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor, return_dict=False)[0]
    expected = pipeline.image_processor.postprocess(decoded.detach(), output_type="pt")[0].movedim(0, -1) * 255
    assert ours.shape == (104, 72, 3)
    assert float((ours.float() - expected).abs().max()) <= 0.51
