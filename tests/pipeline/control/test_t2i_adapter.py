"""T2I-Adapters: the latents of diffusers' own pipelines, alone and beside ControlNets, and who pays for them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import MultiAdapter, T2IAdapter
from torch import Tensor

from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.control import ControlKind, ControlMode
from pipeline.requests.device_messages import Refused
from pipeline.requests.image_request import ImageRequest, Scheduler
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.control.ready_maps import FAMILY, MAPS, control, last_word
from tests.pipeline.control.test_residuals import run_together
from tests.pipeline.samplers.references import scheduler_of
from tests.pipeline.tiny_models import save_control

PREFIX = {"pocket": "StableDiffusionXL", "sd15": "StableDiffusion"}
TYPES = {"pocket": ("full_adapter_xl", 16), "sd15": ("full_adapter", 8)}
CHANNELS = {"edge": 1, "depth": 3}
BOTH = (control("edge", scale=0.5), control("depth", scale=1.3))


def save_adapter(folder: Path, name: str, channels: tuple[int, ...], kind: str) -> None:
    """One that speaks loudly enough to be heard; some read grey maps, some colours."""
    torch.manual_seed(len(kind))
    way, factor = TYPES[name]
    wide = [*channels, channels[-1]] if len(channels) < 4 else list(channels)
    adapter = T2IAdapter(
        in_channels=CHANNELS[kind], channels=wide, num_res_blocks=1, downscale_factor=factor, adapter_type=way
    )
    adapter.save_pretrained(folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, loaded_model: Callable[[str], LoadedModel]) -> Path:
    """Adapters of two kinds for both bases, and a ControlNet of a third."""
    root = tmp_path_factory.mktemp("controls")
    for name, family in FAMILY.items():
        unet = loaded_model(name)._checkpoint.unet
        for kind in CHANNELS:
            save_adapter(root / family / kind, name, unet.config.block_out_channels, kind)
        save_control(root / family / "scribble", unet, 5)
    return root


@pytest.fixture(scope="module")
def adapted_model(root: Path, model_folder: Callable[[str], Path]) -> Callable[[str], LoadedModel]:
    made: dict[str, LoadedModel] = {}

    def of(name: str) -> LoadedModel:
        if name not in made:
            source = ModelSource.parse(str(model_folder(name)))
            made[name] = LoadedModel(source, Hardware.choose("cpu"), replace(SPEC, controls=root))
        return made[name]

    return of


def mixed_requests() -> list[ImageRequest]:
    """One adapter and two, one that ends early, one beside a ControlNet, none."""
    return [
        a_request(seed=1, steps=3, controls=(control(),)),
        a_request(seed=2, steps=5, controls=(control("depth", scale=0.7, end=0.5),), guidance_scale=1.0),
        a_request(seed=3, steps=4, controls=BOTH, scheduler=Scheduler.DPMPP_2M),
        a_request(seed=4, steps=4),
        a_request(seed=5, steps=4, controls=(control(), control("scribble", image="edge"))),
        a_request(seed=6, steps=4, controls=(control("scribble", image="edge"),)),
    ]


def run_diffusers(name: str, folder: Path, root: Path, request: ImageRequest) -> Tensor:
    adapters = [T2IAdapter.from_pretrained(root / FAMILY[name] / use.kind) for use in request.controls]
    maps = [
        MAPS[use.kind].resize((64, 64)).convert("L" if CHANNELS[use.kind] == 1 else "RGB") for use in request.controls
    ]
    scales = [use.scale for use in request.controls]
    several = len(adapters) > 1
    pipeline = getattr(diffusers, f"{PREFIX[name]}AdapterPipeline").from_pretrained(
        folder, adapter=MultiAdapter(adapters) if several else adapters[0], dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler_of(request.scheduler, pipeline.scheduler.config)
    early: dict[str, Any] = {"adapter_conditioning_factor": request.controls[0].end} if name == "pocket" else {}
    latents: Tensor = pipeline(
        request.prompt,
        image=maps if several else maps[0],
        height=64,
        width=64,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        adapter_conditioning_scale=scales if several else scales[0],
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
        **early,
    ).images
    return latents


@pytest.mark.parametrize("name", PREFIX)
def test_latents_equal_those_of_diffusers(
    name: str, adapted_model: Callable[[str], LoadedModel], root: Path, model_folder: Callable[[str], Path]
) -> None:
    """In one mixed batch, rows with a ControlNet and with nothing among them."""
    requests = mixed_requests()

    ours = run_together(adapted_model(name), requests)

    errors = {}
    for request, latents in list(zip(requests, ours, strict=True))[:3]:
        if name == "sd15" and request.controls[0].end < 1:
            continue  # diffusers' own has no end for SD 1.5
        expected = run_diffusers(name, model_folder(name), root, request)
        errors[request.seed] = float((latents - expected).norm() / expected.norm())
    assert max(errors.values()) < 1e-4, errors


def test_neighbours_change_no_bit(adapted_model: Callable[[str], LoadedModel]) -> None:
    """Of a row with an adapter, with both sorts, with a ControlNet alone, with none."""
    model, requests = adapted_model("pocket"), mixed_requests()
    together = run_together(model, requests)

    for index in (0, 3, 4, 5):
        assert torch.equal(run_together(model, [requests[index]])[0], together[index])


def test_every_part_of_a_mixed_control_counts(adapted_model: Callable[[str], LoadedModel]) -> None:
    """An adapter beside a ControlNet is neither alone; at weight 0 it is not there; where control comes first, less."""
    scribble = control("scribble", image="edge")
    ways = [control(), control(mode=ControlMode.CONTROL), control(scale=0.0)]
    requests = [a_request(steps=3, controls=controls) for controls in [(scribble,), *((way, scribble) for way in ways)]]

    net, both, one_sided, none = run_together(adapted_model("pocket"), requests)

    assert not torch.equal(both, net)
    assert not torch.equal(one_sided, both)
    assert torch.equal(none, net)


def test_an_adapter_of_another_base_is_refused(root: Path, tmp_path: Path) -> None:
    """As a ControlNet is."""
    (tmp_path / "sdxl").mkdir()
    (tmp_path / "sdxl" / "depth").symlink_to(root / "sd15" / "depth")

    refused = last_word(Engine(replace(SPEC, controls=tmp_path)), a_request(controls=(control("depth"),)))

    assert isinstance(refused, Refused)
    assert (
        refused.sentence == "The control 'depth' here was made for another base than pocket; an admin can replace it."
    )


def test_a_size_that_an_adapter_cannot_read_is_refused(root: Path) -> None:
    """SDXL's see in cells of sixteen pixels."""
    request = a_request(width=72, controls=(control(ControlKind.DEPTH),))

    refused = last_word(Engine(replace(SPEC, controls=root)), request)

    assert isinstance(refused, Refused)
    assert refused.sentence == "With this control, width and height have to be multiples of 16."
