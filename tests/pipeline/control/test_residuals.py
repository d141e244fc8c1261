"""ControlNets: the latents of diffusers' own pipelines, the identities that they keep, and who pays for them."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import ControlNetModel, MultiControlNetModel
from PIL import Image, PngImagePlugin
from torch import Tensor

from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.requests.control import ControlKind, ControlMode, ControlUse
from pipeline.requests.device_messages import Rendered
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.start_image import StartImage
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.control.ready_maps import FAMILY, HANDED, MAPS, control, last_word
from tests.pipeline.samplers.references import scheduler_of
from tests.pipeline.scene import half_mask, scene

PREFIX = {"pocket": "StableDiffusionXLControlNet", "sd15": "StableDiffusionControlNet"}
BUCKET = 32
OVER = StartImage(image="scene", strength=0.7)
UNDER = StartImage(image="scene", mask="mask", strength=0.7)


def begun(model: LoadedModel, request: ImageRequest) -> DenoisingState:
    controls = model.controls.acquire(request, HANDED, timeout=60)
    assert controls is not None
    return model.begin(request, (), controls, HANDED)


def run_together(model: LoadedModel, requests: Sequence[ImageRequest]) -> list[Tensor]:
    memory = model.denoiser.open(BUCKET, pages=0)
    everyone = [begun(model, request) for request in requests]
    free = iter(range(BUCKET))
    for rendering in everyone:
        model.denoiser.assign(memory, rendering, tuple(islice(free, rendering.conditioning.rows)))
    while running := [rendering for rendering in everyone if not rendering.sampler.finished]:
        model.denoiser.advance(memory, running)
    return [rendering.latents for rendering in everyone]


def mixed_requests() -> list[ImageRequest]:
    """From noise, over an image and under a mask; one control and two; windows, modes, with and without guidance."""
    both = (control("edge", scale=0.5), control("depth", scale=1.3))
    return [
        a_request(seed=1, steps=3, controls=(control(),)),
        a_request(seed=2, steps=5, controls=(control("depth", scale=0.7, start=0.2, end=0.8),), guidance_scale=1.0),
        a_request(seed=3, steps=4, controls=both, scheduler=Scheduler.DPMPP_2M),
        a_request(seed=4, steps=4),
        a_request(seed=5, steps=4, controls=(control(mode=ControlMode.CONTROL),), scheduler=Scheduler.EULER_A),
        a_request(seed=6, steps=6, controls=(control(scale=1.5),), start=OVER, scheduler=Scheduler.HEUN),
        a_request(seed=7, steps=6, controls=both, start=OVER, scheduler=Scheduler.DDIM),
        a_request(seed=8, steps=6, controls=(control(end=0.5),), start=UNDER, scheduler=Scheduler.UNIPC),
    ]


def run_diffusers(name: str, folder: Path, controls: Path, request: ImageRequest) -> Tensor:
    nets = [ControlNetModel.from_pretrained(controls / FAMILY[name] / use.kind) for use in request.controls]
    way = "" if request.start is None else "Img2Img" if request.start.mask is None else "Inpaint"
    pipeline = getattr(diffusers, f"{PREFIX[name]}{way}Pipeline").from_pretrained(
        folder, controlnet=nets[0] if len(nets) == 1 else MultiControlNetModel(nets), dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler_of(request.scheduler, pipeline.scheduler.config)
    maps = [MAPS[use.kind].resize((64, 64)).convert("RGB") for use in request.controls]
    uses = request.controls

    def one_or_all(values: list[Any]) -> Any:
        return values[0] if len(values) == 1 else values

    images: dict[str, Any] = {"image": one_or_all(maps)}
    if request.start is not None:
        images = {"image": scene(), "control_image": one_or_all(maps), "strength": request.start.strength}
    if way == "Inpaint":
        images["mask_image"] = half_mask()
    latents: Tensor = pipeline(
        request.prompt,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        controlnet_conditioning_scale=one_or_all([use.scale for use in uses]),
        control_guidance_start=one_or_all([use.start for use in uses]),
        control_guidance_end=one_or_all([use.end for use in uses]),
        guess_mode=uses[0].mode is ControlMode.CONTROL,
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
        **images,
    ).images
    return latents


@pytest.mark.parametrize("name", PREFIX)
def test_latents_equal_those_of_diffusers(
    name: str,
    controlled_model: Callable[[str], LoadedModel],
    controls: Path,
    model_folder: Callable[[str], Path],
) -> None:
    """In one mixed batch, a row without control among them."""
    requests = mixed_requests()

    ours = run_together(controlled_model(name), requests)

    errors = {}
    for request, latents in zip(requests, ours, strict=True):
        if request.controls:
            expected = run_diffusers(name, model_folder(name), controls, request)
            errors[request.seed] = float((latents - expected).norm() / expected.norm())
    assert max(errors.values()) < 1e-4, errors


def test_neighbours_change_no_bit(controlled_model: Callable[[str], LoadedModel]) -> None:
    """Neither of a row with control nor of one without."""
    model, requests = controlled_model("pocket"), mixed_requests()
    together = run_together(model, requests)
    backwards = run_together(model, requests[::-1])[::-1]

    for index in (0, 2, 3, 7):
        alone = run_together(model, [requests[index]])[0]

        assert torch.equal(alone, together[index])
        assert torch.equal(alone, backwards[index])


@pytest.mark.parametrize(
    ("uses", "same"),
    [
        ((control(scale=0.0),), ()),
        ((control(end=0.01),), ()),
        ((control(), control("depth", scale=0.0)), (control(),)),
        ((control(), control("depth")), (control("depth"), control())),
        ((control(scale=0.5), control(scale=0.5)), (control(),)),
    ],
    ids=["weight 0", "ends at once", "second at 0", "order", "halves"],
)
@pytest.mark.parametrize("start", [None, OVER, UNDER], ids=["from noise", "over a picture", "under a mask"])
@pytest.mark.parametrize("name", PREFIX)
def test_identities_hold_exactly(
    controlled_model: Callable[[str], LoadedModel],
    name: str,
    start: StartImage | None,
    uses: tuple[ControlUse, ...],
    same: tuple[ControlUse, ...],
) -> None:
    """As diffusers keeps them, and under a mask too, where it does not."""
    requests = [a_request(steps=5, controls=each, start=start) for each in (uses, same)]

    one, other = (run_together(controlled_model(name), [request])[0] for request in requests)

    assert torch.equal(one, other)


def test_modes_differ(controlled_model: Callable[[str], LoadedModel]) -> None:
    """The prompt comes first by less control, from the inner layers most of all."""
    requests = [a_request(steps=3, controls=(control(mode=mode),)) for mode in ControlMode]
    plain = a_request(steps=3)

    balanced, prompt, one_sided, without = run_together(controlled_model("pocket"), [*requests, plain])

    assert (prompt - without).norm() < (balanced - without).norm()
    assert not torch.equal(one_sided, balanced)


def test_the_engine_draws_with_a_control_and_says_so(controls: Path) -> None:
    """The image is another than without it, and its metadata names the control."""
    engine = Engine(replace(SPEC, controls=controls))

    plain, kept = (last_word(engine, a_request(steps=2, controls=each)) for each in ((), (control(scale=2.0),)))

    assert isinstance(plain, Rendered)
    assert isinstance(kept, Rendered)
    assert Image.open(io.BytesIO(plain.png)).tobytes() != Image.open(io.BytesIO(kept.png)).tobytes()
    assert "ControlNet 0" in PngImagePlugin.PngImageFile(io.BytesIO(kept.png)).text["parameters"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scale": 2.1}, "control scale is 2.1; use 0 to 2."),
        ({"start": 0.5, "end": 0.5}, "The control ends at 0.5, before it starts at 0.5."),
        ({"detail": 2.5}, "control detail is 2.5; use -2 to 2."),
    ],
)
def test_impossible_controls_are_refused(changes: dict[str, Any], sentence: str) -> None:
    """Naming the limit."""
    with pytest.raises(InvalidRequest) as refusal:
        ControlUse(**{"kind": ControlKind.EDGE, "image": "edge", **changes})
    assert str(refusal.value) == sentence
