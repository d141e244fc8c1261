"""The engine's latents against those of diffusers' own pipelines, in float32."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.engine.loaded_model import LoadedModel
from pipeline.requests.image_request import Scheduler
from pipeline.requests.step_window import StepWindow
from tests.pipeline.conftest import a_request
from tests.pipeline.engine.diffusers_pipelines import (
    PIPELINES,
    changing_texts,
    guided_in,
    load_pipeline,
    mixed_requests,
    run_diffusers,
    run_together,
)

# DDIM clips its guess of the image where the model's config says so, and a clip magnifies rounding.
TOLERANCE = {scheduler: 1e-3 if scheduler is Scheduler.DDIM else 1e-5 for scheduler in Scheduler}


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


@pytest.mark.parametrize("name", ["nano", "sd15"])
def test_a_prompt_that_changes_equals_diffusers_with_its_texts_exchanged(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """Each sampler's step has one text, also where it calls the denoiser twice; beside others in one batch."""
    first = a_request(prompt="a [red fox:green apple:2] [here|there]", negative_prompt="[blue::0.5]", steps=4, seed=1)
    heun = replace(first, scheduler=Scheduler.HEUN, seed=2)
    requests = [first, heun, a_request(steps=4)]
    prompts = ("a red fox here", "a red fox there", "a green apple here", "a green apple there")
    texts = tuple(zip(prompts, ("blue", "blue", "", ""), strict=True))
    pipeline = load_pipeline(name, model_folder(name))
    config = dict(pipeline.scheduler.config)

    ours = run_together(loaded_model(name), requests, bucket=8)

    for request, latents, calls in zip(requests, ours, (texts, [texts[call // 2] for call in range(7)]), strict=False):
        start = replace(request, prompt=texts[0][0], negative_prompt=texts[0][1])
        expected = run_diffusers(pipeline, start, config, **changing_texts(pipeline, calls))
        assert float((latents - expected).norm() / expected.norm()) < 1e-5
        unchanged = run_diffusers(pipeline, start, config)
        assert float((unchanged - expected).norm() / expected.norm()) > 1e-4


def test_a_neighbour_whose_prompt_changes_changes_no_bit(loaded_model: Callable[[str], LoadedModel]) -> None:
    """And is itself the same alone."""
    requests = [a_request(steps=4), a_request(prompt="[red|green] fox", negative_prompt="[a:b:1]", steps=4, seed=3)]

    for request, latents in zip(requests, run_together(loaded_model("nano"), requests, bucket=4), strict=True):
        assert torch.equal(run_together(loaded_model("nano"), [request], bucket=4)[0], latents)


@pytest.mark.parametrize("name", ["nano", "sd15"])
def test_a_guidance_window_equals_diffusers_with_its_guidance_exchanged(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """Outside of it there is none; a neighbour has its own."""
    early = a_request(negative_prompt="blue", steps=4, seed=1, guidance_window=StepWindow.parse("1-3", "window"))
    late = a_request(guidance_rescale=0.5, steps=4, seed=2, guidance_window=StepWindow.parse("0.5-1", "window"))
    requests = [early, late, a_request(steps=4)]
    pipeline = load_pipeline(name, model_folder(name))
    config = dict(pipeline.scheduler.config)

    ours = run_together(loaded_model(name), requests, bucket=8)

    scales = ([5.0, 5.0, 1.0, 1.0], [1.0, 5.0, 5.0, 5.0], [5.0] * 4)
    for request, latents, each in zip(requests, ours, scales, strict=True):
        options = guided_in(pipeline, request.prompt, request.negative_prompt, each)
        first = replace(request, guidance_scale=each[0])
        expected = run_diffusers(pipeline, first, config, **options)
        assert float((latents - expected).norm() / expected.norm()) < 1e-5


def test_a_window_without_a_step_is_no_guidance() -> None:
    """And costs no second row."""
    never = a_request(steps=4, guidance_window=StepWindow(start=9))

    assert not never.guided
    assert never.row_steps == 4


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
