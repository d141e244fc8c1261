"""What only a GPU can show: half precisions, graphs, real shortage of memory, snapshots that change device."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor

from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.models.hardware import Hardware, Placement
from pipeline.models.metadata import ModelFacts
from pipeline.models.source import ModelSource
from pipeline.requests.device_messages import Event, Rendered, Stepped, Suspended
from pipeline.requests.device_spec import DeviceSpec, Weights
from pipeline.requests.image_request import ImageRequest, LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.diffusers_pipelines import mixed_requests, run_diffusers, run_together
from tests.pipeline.random_loras import random_lora
from tests.pipeline.tiny_models import POCKET, save_nano

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
    pytest.mark.timeout(120),
]

CUDA = replace(SPEC, device="cuda:0", threads=None, graphs=True)
TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Relative error of the final latents against diffusers' pipeline in the same precision."""

CLOSE = 25.0
"""Decibels between the same picture in two precisions."""


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SDXL's topology, with two LoRAs: one of attention, one of everything."""
    folder = tmp_path_factory.mktemp("models")
    save_nano(folder / "nano")
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder / "nano")
    (folder / "loras").mkdir()
    random_lora(pipeline, "usual", rank=16, wanted=lambda name: ".to_" in name, seed=1).save(folder / "loras")
    random_lora(pipeline, "thorough", rank=4, wanted=lambda name: name.startswith("unet."), seed=2).save(
        folder / "loras"
    )
    return folder / "nano"


def loaded(folder: Path, dtype: torch.dtype = torch.bfloat16) -> LoadedModel:
    """A model on the GPU in the precision `dtype`, its VAE as `Hardware.choose` would have it."""
    vae_dtype = torch.float32 if dtype is torch.float16 else dtype
    hardware = Hardware(device=torch.device("cuda:0"), dtype=dtype, vae_dtype=vae_dtype)
    spec = replace(CUDA, models=(str(folder),), loras=folder.parent / "loras")
    return LoadedModel(ModelSource.parse(str(folder)), hardware, spec)


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """float32 that is not rounded to TF32 on the way."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def run(engine: Engine, requests: list[ImageRequest]) -> list[bytes]:
    """All requests at once; their images in their order."""
    for number, request in enumerate(requests):
        engine.admit(str(number), request)
    return rendered(engine, len(requests))


def rendered(engine: Engine, count: int) -> list[bytes]:
    images: dict[str, bytes] = {}
    while not engine.idle:
        for event in engine.step():
            assert isinstance(event, Stepped | Rendered), event
            if isinstance(event, Rendered):
                images[event.ticket] = event.png
    return [images[str(number)] for number in range(count)]


def decibels(first: bytes, second: bytes) -> float:
    """The peak signal-to-noise ratio of two images."""
    one, other = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.float64) for png in (first, second))
    error = float(((one - other) ** 2).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_latents_equal_those_of_diffusers(dtype: torch.dtype) -> None:
    """Every scheduler in one mixed batch, joining one after another, through CUDA graphs."""
    requests = mixed_requests()
    pipeline = StableDiffusionXLPipeline.from_pretrained(POCKET, torch_dtype=dtype).to("cuda")
    pipeline.set_progress_bar_config(disable=True)
    config = dict(pipeline.scheduler.config)
    with exact_convolutions():
        ours = run_together(loaded(POCKET, dtype), requests, bucket=32)
        expected = [run_diffusers(pipeline, request, config).float() for request in requests]

    errors = {
        request.scheduler: float((own - other).norm() / other.norm())
        for request, own, other in zip(requests, ours, expected, strict=True)
    }
    print(dtype, {str(scheduler): f"{error:.1e}" for scheduler, error in errors.items()})  # noqa: T201  the figures
    assert max(errors.values()) < TOLERANCE[dtype], errors


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_neighbours_and_place_change_no_bit(dtype: torch.dtype) -> None:
    """For a fixed bucket: alone, among others, and in another order."""
    model, requests = loaded(POCKET, dtype), mixed_requests()[:7]
    together = run_together(model, requests, bucket=16)
    backwards = run_together(model, requests[::-1], bucket=16)[::-1]

    for index in (1, 4):
        alone = run_together(model, [requests[index]], bucket=16)[0]

        assert torch.equal(alone, together[index])
        assert torch.equal(alone, backwards[index])


def test_a_graph_is_what_it_was_captured_from(nano: Path) -> None:
    """To the last bit, while rows with LoRAs that change other layers come and go."""
    model = loaded(nano)
    captured = _with_loras(model)
    model.denoiser._graphs = None

    plain = _with_loras(model)

    for own, other in zip(captured, plain, strict=True):
        assert own.isfinite().all()
        assert torch.equal(own, other)


def _with_loras(model: LoadedModel) -> list[Tensor]:
    """Three images in four rows: each newcomer takes a leaver's place two steps before another leaves."""
    memory = model.denoiser.open(4, pages=1)
    ended: list[Tensor] = []
    running: list[tuple[DenoisingState, tuple[int, ...]]] = []
    free: list[tuple[int, ...]] = [(0, 1), (2, 3)]
    keys = iter(("usual", "", "thorough"))
    for key in keys:
        request = a_request(seed=len(ended), steps=6, loras=(LoraUse(key=key, name=key),) if key else ())
        model.loras.want(request.loras)
        adapters = model.loras.acquire(request, 60)
        assert adapters is not None
        rendering = model.begin(request, adapters)
        rows = free.pop()
        model.denoiser.assign(memory, rendering, rows)
        running.append((rendering, rows))
        for _ in range(3 if key != "thorough" else 6):
            model.denoiser.advance(memory, [own for own, _ in running])
            for own, place in [pair for pair in running if pair[0].sampler.finished]:
                running.remove((own, place))
                free.append(place)
                ended.append(own.latents)
    assert not running
    return ended


def test_what_waits_in_host_memory_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the model visits the GPU layer by layer."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Small(Hardware):
        """A GPU without room for any weights."""

        def fits(self, weights: int) -> bool:
            return False

        def home(self, facts: ModelFacts) -> Placement:
            return Placement.HOST

    request = a_request(width=128, height=128)
    (expected,) = run(Engine(CUDA), [request])
    usual = Hardware.choose("cuda:0")
    small = Small(device=usual.device, dtype=usual.dtype, vae_dtype=usual.vae_dtype)
    monkeypatch.setattr(Hardware, "choose", lambda _name: small)

    engine = Engine(CUDA)

    (model,) = engine._cache.loaded.values()
    assert all(parameter.device.type == "meta" for parameter in model._checkpoint.unet.parameters())
    assert decibels(run(engine, [request])[0], expected) > 40


def test_a_call_that_does_not_fit_is_halved() -> None:
    """With real memory short, between what few rows take and what many take."""
    requests = [a_request(width=256, height=256, seed=seed) for seed in range(8)]
    engine = Engine(replace(CUDA, preview_every=0))
    few, many = _peak(engine, requests[:1]), _peak(engine, requests)
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((few + (many - few) * 0.4) / whole)
    try:
        images = run(engine, requests)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert len(images) == 8
    assert set(engine._scheduler._limits.values()) <= {2, 4, 8}
    assert engine._scheduler._limits


def _peak(engine: Engine, requests: list[ImageRequest]) -> int:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run(engine, requests)
    return torch.cuda.max_memory_reserved()


def test_half_precision_with_its_vae_draws_no_nan() -> None:
    """float16, whose range SDXL's VAE leaves, with the VAE in float32: the image of the CPU, nearly."""
    request = a_request(width=128, height=128, steps=6)
    model = loaded(POCKET, torch.float16)
    latents = run_together(model, [request], bucket=2)[0]
    decoded = model.denoiser.decode(latents).pixels
    expected = run(Engine(SPEC), [request])[0]

    file = io.BytesIO()
    Image.fromarray(decoded.numpy()).save(file, "PNG")
    assert latents.isfinite().all()
    assert decibels(file.getvalue(), expected) > CLOSE


@pytest.mark.parametrize(("first", "second"), [("cuda:0", "cpu"), ("cpu", "cuda:0")])
def test_a_snapshot_goes_on_elsewhere(first: str, second: str) -> None:
    """From one kind of device to the other, in the other's precision."""
    request = a_request(width=128, height=128, steps=8)
    began = Engine(replace(CUDA, device=first))
    (expected,) = run(began, [request])
    began.admit("0", request)
    for _ in range(4):
        began.step()
    began.suspend("0")
    (aside,) = _asides(began.step())
    ends = Engine(replace(CUDA, device=second))

    ends.admit("0", request, aside.snapshot)

    assert decibels(rendered(ends, 1)[0], expected) > CLOSE


def _asides(events: list[Event]) -> list[Suspended]:
    return [event for event in events if isinstance(event, Suspended)]


def test_float8_draws_nearly_the_same(nano: Path) -> None:
    """With products in float8 and a scale for each row, beside LoRAs in bf16."""
    pytest.importorskip("torchao", reason="needs the extra fp8")
    request = a_request(model="nano", steps=6, loras=(LoraUse(key="usual", name="usual"),))
    spec = DeviceSpec(models=(str(nano),), device="cuda:0", loras=nano.parent / "loras", preview_every=0)
    (full,) = run(Engine(spec), [request])

    (rounded,) = run(Engine(replace(spec, weights=Weights.FP8)), [request])

    assert 20 < decibels(rounded, full) < float("inf")
