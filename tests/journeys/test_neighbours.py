"""Whatever one request in a batch does, the others come out as without it, to the last bit."""

import io
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor

from pipeline.engine.denoiser import Denoiser
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.engine_request import EngineJob
from pipeline.engine.loaded_model import LoadedModel
from pipeline.engine.snapshot import Snapshot
from pipeline.requests.device_messages import Dropped, Event, Faulted, Refused, Rendered, Suspended
from pipeline.requests.device_spec import DeviceSpec
from tests.journeys.odd_requests import BUCKET, IMAGES, Arrival, Requests
from tests.pipeline.random_loras import random_lora
from tests.pipeline.tiny_models import save_control, save_mite, save_mote

pytestmark = pytest.mark.timeout(3600)
MODELS = ("mote", "mite")


@dataclass(slots=True)
class Faults:
    """What goes wrong with the requests in flight, by their seeds."""

    of: dict[int, str]

    def meet(self, where: str, *seeds: int) -> None:
        """Fail if that is what goes wrong with one of them."""
        if any(self.of.get(seed) == where for seed in seeds):
            raise RuntimeError(f"{where} fails")


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The engine's pieces of work for one request fail where a test says so."""
    made = Faults({})

    def let_fail(owner: Any, name: str, where: str, seeds: Callable[..., Sequence[int]]) -> None:
        whole = getattr(owner, name)

        def fragile(*arguments: Any, **options: Any) -> Any:
            made.meet(where, *seeds(*arguments, **options))
            return whole(*arguments, **options)

        monkeypatch.setattr(owner, name, fragile)

    def of_rendering(_: object, rendering: DenoisingState, *__: object) -> Sequence[int]:
        return (rendering.request.seed,)

    def move(rendering: DenoisingState, latents: Tensor | Exception) -> None:
        try:
            made.meet("step", rendering.request.seed)
        except RuntimeError as error:
            latents = error
        moved(rendering, latents)

    moved = DenoisingState.move
    let_fail(EngineJob, "start", "encode", lambda job: (job.request.seed,))
    let_fail(EngineJob, "assign", "place", lambda job, _: (job.request.seed,))
    let_fail(EngineJob, "candidate", "slot", lambda job: (job.request.seed,))
    let_fail(Denoiser, "_predict", "forward", lambda _, __, rows, *___: [row.request.seed for row in rows])
    monkeypatch.setattr(DenoisingState, "move", move)
    let_fail(LoadedModel, "preview", "preview", of_rendering)
    let_fail(LoadedModel, "finish", "decode", of_rendering)
    let_fail(LoadedModel, "_info", "metadata", lambda _, request, __: (request.seed,))
    let_fail(Snapshot, "of", "save", lambda rendering, _: (rendering.request.seed,))
    return made


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> DeviceSpec:
    """Two tiny models with LoRAs and ControlNets, good and broken."""
    root = tmp_path_factory.mktemp("neighbours")
    save_mote(root / "mote")
    save_mite(root / "mite")
    kinds = {"mote": (StableDiffusionXLPipeline, "sdxl"), "mite": (StableDiffusionPipeline, "sd15")}
    for name, (kind, family) in kinds.items():
        pipeline = kind.from_pretrained(root / name)
        _save_controls(root / name / "controls", pipeline)
        _save_loras(root, name, pipeline, family)
    for name, other in zip(MODELS, reversed(MODELS), strict=True):
        shutil.copy(root / f"{other}-a.safetensors", root / f"{name}-foreign.safetensors")
    return DeviceSpec(
        models=tuple(str(root / name) for name in MODELS), device="cpu", loras=root, threads=1, max_rows=BUCKET,
        preview_every=1, snapshot_every=2,
    )  # fmt: skip


def _save_controls(folder: Path, pipeline: Any) -> None:
    for seed, kind in enumerate(("edge", "depth", "normal")):
        save_control(folder / kind, pipeline.unet, seed)
    (folder / "normal" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")


def _save_loras(folder: Path, model: str, pipeline: Any, family: str) -> None:
    def save(name: str, rank: int, parts: tuple[str, ...], spoil: float = 1.0) -> None:
        wanted = lambda layer: layer.startswith(parts) and layer.endswith(("q", "v", "q_proj"))  # noqa: E731
        lora = random_lora(pipeline, f"{model}-{name}", rank=rank, wanted=wanted, seed=len(name) + ord(name[0]))
        lora.layers.update({layer: (down * spoil, up) for layer, (down, up) in lora.layers.items()})
        lora.save(folder, family)

    save("a", 4, ("unet",))
    save("b", 20, ("unet", "text"))
    save("c", 4, ("text",))
    save("huge", 128, ("unet", "text"))
    save("nan", 4, ("unet",), spoil=float("nan"))
    whole = (folder / f"{model}-a.safetensors").read_bytes()
    (folder / f"{model}-broken.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / f"{model}-empty.safetensors").touch()


Ends = dict[int, Event]


def _run(engine: Engine, arrivals: Sequence[Arrival]) -> Ends:
    """How each of the requests ended, by its seed."""
    ends: Ends = {}
    waiting, step = list(arrivals), 0
    while waiting or not engine.idle:
        while waiting and waiting[0].at <= step:
            arrival = waiting.pop(0)
            ticket = str(arrival.request.seed)
            engine.admit(ticket, arrival.request, arrival.snapshot, IMAGES)
        for arrival in arrivals:
            if arrival.at + 2 == step and arrival.fault in {"cancel", "suspend"}:
                getattr(engine, arrival.fault)(str(arrival.request.seed))
        for event in engine.step():
            if isinstance(event, Rendered | Refused | Faulted | Dropped | Suspended):
                assert int(event.ticket) not in ends, "answered twice"
                ends[int(event.ticket)] = event
        step += 1
    return ends


def _pixels(event: Event) -> bytes:
    assert isinstance(event, Rendered), event
    return Image.open(io.BytesIO(event.png)).tobytes()


@pytest.mark.parametrize(
    ("seed", "count"), [pytest.param(7, 100, id="a share"), pytest.param(2026, 5000, id="all", marks=pytest.mark.soak)]
)
def test_a_request_in_a_batch_changes_no_bit_of_the_others(
    seed: int, count: int, spec: DeviceSpec, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each good one is made beside the odd ones, and by an engine that never sees an odd one, in the same bucket."""
    for name in ("engine", "batch_step"):
        monkeypatch.setattr(logging.getLogger(f"pipeline.engine.{name}"), "disabled", True)
    mixed, plain = Engine(spec), Engine(spec)
    requests, seen = Requests(seed, MODELS), 0
    while seen < count:
        batch = requests.batch()
        seen += len(batch)
        good = [arrival for arrival in batch if arrival.fault is None]
        faults.of = {arrival.request.seed: arrival.fault for arrival in batch if arrival.fault}
        together = _run(mixed, batch)
        faults.of = {}
        apart = _run(plain, good)
        for arrival in batch:
            assert type(together[arrival.request.seed]) in arrival.ends, (arrival, together[arrival.request.seed])
        for arrival in good:
            one = arrival.request.seed
            assert _pixels(together[one]) == _pixels(apart[one]), (arrival, [other.fault for other in batch])
