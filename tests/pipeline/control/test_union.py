"""ControlNet-Union: the latents of diffusers' union pipelines, the identities, and how it is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import (
    ControlNetUnionModel,
    StableDiffusionXLControlNetUnionImg2ImgPipeline,
    StableDiffusionXLControlNetUnionInpaintPipeline,
    StableDiffusionXLControlNetUnionPipeline,
)
from torch import Tensor

from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.control import ControlKind, ControlMode, ControlUse
from pipeline.requests.image_request import ImageRequest, Scheduler
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.control.ready_maps import MAPS, control
from tests.pipeline.control.test_residuals import OVER, UNDER, run_together
from tests.pipeline.samplers.references import scheduler_of
from tests.pipeline.scene import half_mask, scene
from tests.pipeline.tiny_models import save_control, save_control_union

# As ControlNet++'s model card numbers them.
PLACES = {ControlKind.DEPTH: 1, ControlKind.EDGE: 3}
BOTH = (control("edge", scale=0.5), control("depth", scale=1.3))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, loaded_model: Callable[[str], LoadedModel]) -> Path:
    """A union of eight types, and beside it a net for depth alone."""
    root = tmp_path_factory.mktemp("controls")
    unet = loaded_model("pocket")._checkpoint.unet
    save_control_union(root / "sdxl" / "union", unet, seed=3, types=8)
    save_control(root / "sdxl" / "depth", unet, seed=4)
    return root


@pytest.fixture(scope="module")
def model(root: Path, model_folder: Callable[[str], Path]) -> LoadedModel:
    """Pocket with these nets."""
    source = ModelSource.parse(str(model_folder("pocket")))
    return LoadedModel(source, Hardware.choose("cpu"), replace(SPEC, controls=root))


def mixed_requests() -> list[ImageRequest]:
    """One type and two; from noise, over an image and under a mask; every mode that diffusers knows; and none."""
    guessed = tuple(replace(each, mode=ControlMode.CONTROL) for each in BOTH)
    return [
        a_request(seed=1, steps=3, controls=(control(),)),
        a_request(seed=2, steps=4, controls=(control("depth", scale=0.6, start=0.2, end=0.8),)),
        a_request(seed=3, steps=4, controls=BOTH, scheduler=Scheduler.DPMPP_2M),
        a_request(seed=4, steps=3, controls=BOTH[::-1], guidance_scale=1.0),
        a_request(seed=5, steps=3),
        # With guidance diffusers' own union pipeline fails here: it repeats the types for rows that it leaves out.
        a_request(seed=6, steps=3, controls=guessed, guidance_scale=1.0),
        a_request(seed=7, steps=6, controls=BOTH, start=OVER),
        a_request(seed=8, steps=6, controls=BOTH, start=UNDER),
    ]


def run_diffusers(folder: Path, root: Path, request: ImageRequest) -> Tensor:
    ways = {
        None: (StableDiffusionXLControlNetUnionPipeline, {}),
        OVER: (StableDiffusionXLControlNetUnionImg2ImgPipeline, {"image": scene(), "strength": 0.7}),
        UNDER: (
            StableDiffusionXLControlNetUnionInpaintPipeline,
            {"image": scene(), "mask_image": half_mask(), "strength": 0.7},
        ),
    }
    kind, images = ways[request.start]
    net = ControlNetUnionModel.from_pretrained(root / "sdxl" / "union")
    pipeline = kind.from_pretrained(folder, controlnet=net, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler_of(request.scheduler, pipeline.scheduler.config)
    uses = request.controls
    latents: Tensor = pipeline(
        request.prompt,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        control_mode=[PLACES[use.kind] for use in uses],
        controlnet_conditioning_scale=[use.scale for use in uses],
        control_guidance_start=uses[0].start,
        control_guidance_end=uses[0].end,
        guess_mode=uses[0].mode is ControlMode.CONTROL,
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
        control_image=[MAPS[use.kind].resize((64, 64)).convert("RGB") for use in uses],
        **images,
    ).images
    return latents


def test_latents_equal_those_of_diffusers(root: Path, model: LoadedModel, model_folder: Callable[[str], Path]) -> None:
    """In one mixed batch, a row without control among them."""
    # The net for depth alone is not asked: one that reads more comes first.
    requests = mixed_requests()

    ours = run_together(model, requests)

    errors = {
        request.seed: float((latents - expected).norm() / expected.norm())
        for request, latents in zip(requests, ours, strict=True)
        if request.controls
        for expected in [run_diffusers(model_folder("pocket"), root, request)]
    }
    assert max(errors.values()) < 1e-4, errors


def test_neighbours_change_no_bit(model: LoadedModel) -> None:
    """Of a row with one type, of one with two, and of one without control."""
    requests = mixed_requests()
    together = run_together(model, requests)

    for index in (0, 2, 4, 7):
        assert torch.equal(run_together(model, [requests[index]])[0], together[index])


@pytest.mark.parametrize(
    ("uses", "same"),
    [
        ((control(scale=0.0),), ()),
        ((control(end=0.01),), ()),
        ((control(), control("depth", scale=0.0)), (control(),)),
        (BOTH, BOTH[::-1]),
    ],
    ids=["weight 0", "ends at once", "second at 0", "order"],
)
def test_identities_hold_exactly(
    model: LoadedModel, uses: tuple[ControlUse, ...], same: tuple[ControlUse, ...]
) -> None:
    """As with nets of one kind each."""
    one, other = (run_together(model, [a_request(steps=3, controls=each)])[0] for each in (uses, same))

    assert torch.equal(one, other)


def test_a_type_that_the_union_lacks_is_read_by_another_net(
    tmp_path: Path, model: LoadedModel, model_folder: Callable[[str], Path]
) -> None:
    """Six types know no tiles; the net for tiles lies beside."""
    unet = model._checkpoint.unet
    save_control_union(tmp_path / "sdxl" / "promax", unet, seed=3, types=6)
    save_control(tmp_path / "sdxl" / "tile", unet, seed=4)
    source = ModelSource.parse(str(model_folder("pocket")))
    own = LoadedModel(source, Hardware.choose("cpu"), replace(SPEC, controls=tmp_path))

    run_together(own, [a_request(steps=2, controls=(control(), control("tile", image="edge")))])

    assert {folder.name for folder in own.controls._nets} == {"promax", "tile"}
