"""The engine's latents against those of diffusers' own pipelines, in float32."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoPipelineForText2Image

from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.requests.freeu import FreeU
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

LATER = 7
"""How many of the mixed requests are enough where a call of the denoiser takes long."""


@pytest.mark.parametrize("name", PIPELINES)
def test_latents_equal_those_of_diffusers(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """In one mixed batch, for every scheduler, joining one after another."""
    requests = mixed_requests() if name != "nano" else mixed_requests()[:LATER]
    pipeline = load_pipeline(name, model_folder(name))
    config = dict(pipeline.scheduler.config)

    ours = run_together(loaded_model(name), requests, bucket=16 if name == "nano" else 32)

    for request, latents in zip(requests, ours, strict=True):
        expected = run_diffusers(pipeline, request, config)
        error = float((latents - expected).norm() / expected.norm())
        assert error < TOLERANCE[request.scheduler], f"{request.scheduler}: {error:.1e}"


@pytest.mark.parametrize("name", ["pocket", "sd15"])
def test_neighbours_and_place_change_no_bit(name: str, loaded_model: Callable[[str], LoadedModel]) -> None:
    """For a fixed bucket: alone, among others, and in another order."""
    requests = mixed_requests()[:LATER]
    together = run_together(loaded_model(name), requests, bucket=16)
    backwards = run_together(loaded_model(name), requests[::-1], bucket=16)[::-1]

    for index in (1, 4):
        alone = run_together(loaded_model(name), [requests[index]], bucket=16)[0]

        assert torch.equal(alone, together[index])
        assert torch.equal(alone, backwards[index])


@pytest.mark.parametrize("name", ["mote", "sd15"])
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

    for request, latents in zip(requests, run_together(loaded_model("mote"), requests, bucket=4), strict=True):
        assert torch.equal(run_together(loaded_model("mote"), [request], bucket=4)[0], latents)


@pytest.mark.parametrize("name", ["mote", "sd15"])
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


@pytest.mark.parametrize("name", ["mote", "sd15"])
def test_freeu_and_perturbed_attention_equal_diffusers(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """Each row with its own, in one batch with rows that have neither; with guidance and without."""
    freeu = FreeU(b1=1.3, b2=1.4, s1=0.9, s2=0.2)
    # Or the middle of SD 1.5 would have one position, which attends to itself anyway.
    usual = a_request(steps=3, width=128, height=64)
    requests = [
        replace(usual, freeu=freeu),
        replace(usual, seed=2, guidance_scale=1, freeu=replace(freeu, b1=1.1, s2=0.5)),
        replace(usual, seed=3, pag_scale=3, negative_prompt="blue", guidance_rescale=0.3),
        replace(usual, seed=4, pag_scale=2, guidance_scale=1),
        replace(usual, seed=5, pag_scale=3, freeu=freeu, scheduler=Scheduler.EULER_A),
        replace(usual, seed=6),
    ]
    pipelines = {False: load_pipeline(name, model_folder(name))}
    pipelines[True] = AutoPipelineForText2Image.from_pipe(pipelines[False], enable_pag=True, pag_applied_layers=["mid"])
    pipelines[True].set_progress_bar_config(disable=True)
    config = dict(pipelines[False].scheduler.config)

    ours = run_together(loaded_model(name), requests, bucket=16)

    for request, latents in zip(requests, ours, strict=True):
        pipeline = pipelines[request.perturbed]
        pipeline.disable_freeu()
        if request.freeu is not None:
            pipeline.enable_freeu(**request.freeu.factors)
        expected = run_diffusers(
            pipeline, request, config, **({"pag_scale": request.pag_scale} if request.perturbed else {})
        )
        error = float((latents - expected).norm() / expected.norm())
        assert error < 1e-5, f"{request}: {error:.1e}"
    without = [replace(request, freeu=None, pag_scale=0) for request in requests[:4]]
    for plain, changed in zip(run_together(loaded_model(name), without, bucket=16), ours, strict=False):
        assert float((plain - changed).norm() / plain.norm()) > 1e-4


def test_neighbours_with_effects_change_no_bit(loaded_model: Callable[[str], LoadedModel]) -> None:
    """Nor do those without change theirs."""
    freeu = FreeU(b1=1.3, b2=1.4, s1=0.9, s2=0.2)
    requests = [a_request(), a_request(seed=2, freeu=freeu), a_request(seed=3, pag_scale=3)]

    for request, latents in zip(requests, run_together(loaded_model("mote"), requests, bucket=8), strict=True):
        assert torch.equal(run_together(loaded_model("mote"), [request], bucket=8)[0], latents)


def test_a_model_without_attention_in_its_middle_has_none_to_perturb(
    loaded_model: Callable[[str], LoadedModel],
) -> None:
    with pytest.raises(InvalidRequest, match="no attention in its middle, which pag needs; leave pag out"):
        loaded_model("speck").begin(a_request(pag_scale=3), ())


def test_pixels_equal_those_of_diffusers(
    loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """The decode stage, within a rounding of one level."""
    request = a_request(width=72, height=104)
    pipeline = load_pipeline("pocket", model_folder("pocket"))
    latents = run_together(loaded_model("pocket"), [request], bucket=2)[0]

    ours = loaded_model("pocket").denoiser.decode(latents).pixels

    decoded = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor, return_dict=False)[0]
    expected = pipeline.image_processor.postprocess(decoded.detach(), output_type="pt")[0].movedim(0, -1) * 255
    assert ours.shape == (104, 72, 3)
    assert float((ours.float() - expected).abs().max()) <= 0.51
