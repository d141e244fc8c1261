"""ControlNets: the latents of diffusers' own pipelines, the identities that they keep, and who pays for them."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, MultiControlNetModel
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin
from torch import Tensor

from pipeline.control.annotators import control_map
from pipeline.control.control_map import map_of
from pipeline.engine.denoiser import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.control import ControlKind, ControlMode, ControlUse
from pipeline.requests.device_messages import Event, Refused, Rendered
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.start_image import StartImage
from pipeline.samplers import sampler as samplers
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.test_inpaint_canvas import IMAGES, half_mask, png, scene
from tests.pipeline.tiny_models import save_control

PREFIX = {"pocket": "StableDiffusionXLControlNet", "sd15": "StableDiffusionControlNet"}
FAMILY = {"pocket": "sdxl", "sd15": "sd15"}
KINDS = {"edge": 1, "depth": 2}
BUCKET = 32
MAPS = {"edge": Image.linear_gradient("L"), "depth": Image.radial_gradient("L")}
OVER = StartImage(image="scene", strength=0.7)
UNDER = StartImage(image="scene", mask="mask", strength=0.7)
HANDED = {**IMAGES, **{kind: png(image.resize((64, 64))) for kind, image in MAPS.items()}}


def control(kind: str = "edge", **changes: Any) -> ControlUse:
    """A control by a ready map."""
    return ControlUse(**{"kind": ControlKind(kind), "image": kind, "ready": True, **changes})


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory, loaded_model: Callable[[str], LoadedModel]) -> Path:
    """ControlNets of two kinds for both bases."""
    root = tmp_path_factory.mktemp("controls")
    for name, family in FAMILY.items():
        unet = loaded_model(name)._checkpoint.unet
        for kind, seed in KINDS.items():
            save_control(root / family / kind, unet, seed)
    return root


@pytest.fixture(scope="module")
def controlled_model(controls: Path, model_folder: Callable[[str], Path]) -> Callable[[str], LoadedModel]:
    spec = replace(SPEC, controls=controls)
    made: dict[str, LoadedModel] = {}

    def of(name: str) -> LoadedModel:
        if name not in made:
            made[name] = LoadedModel(ModelSource.parse(str(model_folder(name))), Hardware.choose("cpu"), spec)
        return made[name]

    return of


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
    pipeline.scheduler = samplers.SCHEDULER_CLASSES[request.scheduler].from_config(pipeline.scheduler.config)
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


def last_word(engine: Engine, request: ImageRequest, images: dict[str, bytes] = HANDED) -> Event:
    engine.admit("a", request, images=images)
    events: list[Event] = []
    while not engine.idle:
        events += engine.step()
    return events[-1]


def test_the_engine_draws_with_a_control_and_says_so(controls: Path) -> None:
    """The image is another than without it, and its story names the control."""
    engine = Engine(replace(SPEC, controls=controls))

    plain, kept = (last_word(engine, a_request(steps=2, controls=each)) for each in ((), (control(scale=2.0),)))

    assert isinstance(plain, Rendered)
    assert isinstance(kept, Rendered)
    assert Image.open(io.BytesIO(plain.png)).tobytes() != Image.open(io.BytesIO(kept.png)).tobytes()
    assert "ControlNet 0" in PngImagePlugin.PngImageFile(io.BytesIO(kept.png)).text["parameters"]


def test_a_control_that_is_not_here_is_refused_by_name(controls: Path) -> None:
    """With those that are."""
    refused = last_word(Engine(replace(SPEC, controls=controls)), a_request(controls=(control("pose", image="edge"),)))

    assert isinstance(refused, Refused)
    assert refused.sentence == (
        "There is no control 'pose' for pocket here; there is: "
        "color, depth, edge, lineart, luminance, qr, scribble, softedge, tile. An admin can add one."
    )


def test_pocket_follows_edges_by_itself() -> None:
    """Without anything that an admin would have to add."""
    drawn = last_word(Engine(SPEC), a_request(steps=1, controls=(control(image="scene", ready=False),)))

    assert isinstance(drawn, Rendered)


def test_a_control_for_another_base_is_refused(controls: Path, tmp_path: Path) -> None:
    """Before anything of it is loaded, and only where no other that fits reads its kind."""
    (tmp_path / "sdxl").mkdir()
    for kind in ("edge", "depth"):
        (tmp_path / "sdxl" / kind).symlink_to(controls / "sd15" / kind)
    engine = Engine(replace(SPEC, controls=tmp_path))

    refused = last_word(engine, a_request(controls=(control("depth"),)))

    assert isinstance(refused, Refused)
    assert refused.sentence == (
        "The control 'depth' here was made for another base than pocket; an admin can replace it."
    )
    assert isinstance(last_word(engine, a_request(steps=1, controls=(control("edge"),))), Rendered)


def test_controls_beyond_the_budget_are_released(controls: Path) -> None:
    """The least recently used first; images go on."""
    engine = Engine(replace(SPEC, controls=controls, control_bytes=1))

    for kind in ("edge", "depth", "edge"):
        assert isinstance(last_word(engine, a_request(steps=1, controls=(control(kind),))), Rendered)
        held = engine._cache.loaded["pocket"].controls._nets
        assert [folder.name for folder in held] == [kind]


def test_controls_of_one_request_may_be_more_than_the_budget(controls: Path) -> None:
    """The last of them does not push the first out."""
    both = (control("edge"), control("depth"))

    drawn = last_word(Engine(replace(SPEC, controls=controls, control_bytes=1)), a_request(steps=1, controls=both))

    assert isinstance(drawn, Rendered)


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


def test_a_map_is_made_of_an_image_in_the_requests_size(controlled_model: Callable[[str], LoadedModel]) -> None:
    """The very one that its annotator draws."""
    model = controlled_model("pocket")
    request = a_request(controls=(control(image="scene", ready=False, detail=1.0),))

    (own,) = model.controls.acquire(request, HANDED, timeout=60) or ()

    expected = np.asarray(control_map(ControlKind.EDGE, scene(), 1.0)).transpose(2, 0, 1)[None]
    assert expected.any()
    assert torch.equal((own.hint * 255).round().byte(), torch.from_numpy(expected.copy()))


def test_a_map_that_was_kept_is_the_one_that_was_drawn(controlled_model: Callable[[str], LoadedModel]) -> None:
    """An image of a stored map is the image of what it was drawn from; black on white counts as white on black."""
    model = controlled_model("pocket")
    of_scene = control(image="scene", ready=False, detail=1.0)
    kept = map_of(of_scene, HANDED["scene"], (64, 64))
    handed = HANDED | {"kept": png(kept), "on paper": png(ImageOps.invert(kept))}
    uses = (of_scene, control(image="kept"), control(image="on paper", inverted=True))

    hints = [one.hint for one in model.controls.acquire(a_request(controls=uses), handed, timeout=60) or ()]

    assert torch.equal(hints[0], hints[1])
    assert torch.equal(hints[0], hints[2])


def test_one_net_may_read_several_kinds(controls: Path, tmp_path: Path) -> None:
    """As its folder's name says; it is kept once."""
    (tmp_path / "sdxl").mkdir()
    (tmp_path / "sdxl" / "edge+depth").symlink_to(controls / "sdxl" / "edge")
    engine = Engine(replace(SPEC, controls=tmp_path))

    for kind in ("edge", "depth"):
        assert isinstance(last_word(engine, a_request(steps=1, controls=(control(kind),))), Rendered)

    assert len(engine._cache.loaded["pocket"].controls._nets) == 1


def test_a_map_of_another_size_is_fitted(controlled_model: Callable[[str], LoadedModel]) -> None:
    """To the image's own."""
    large = Image.new("RGB", (90, 50))
    ImageDraw.Draw(large).rectangle((0, 0, 45, 50), fill="white")
    model = controlled_model("pocket")

    (own,) = model.controls.acquire(a_request(controls=(control(),)), {"edge": png(large)}, timeout=60) or ()

    assert own.hint.shape == (1, 3, 64, 64)
    assert (float(own.hint.amin()), float(own.hint.amax())) == (0, 1)
