"""Whatever arrives, leaves or fails, in whatever order: everyone is answered once, and nothing stays behind."""

import gc
import io
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path
from threading import Barrier
from typing import Any, ClassVar

import pytest
import torch
from diffusers import StableDiffusionPipeline
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from PIL import Image

from pipeline.engine.batch_state import RowMemory
from pipeline.engine.denoiser import Denoiser
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.images.metadata import read
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import Dropped, Event, Faulted, Refused, Rendered, Stepped, Suspended
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.requests.start_image import StartImage
from tests.pipeline.conftest import a_request
from tests.pipeline.random_loras import random_lora
from tests.pipeline.scene import png
from tests.pipeline.tiny_models import save_control, save_sd15
from tests.tiers import examples

LORAS = ("a", "b", "c", "missing")

SCENE = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
IMAGES = {"scene": png(SCENE), "mask": png(SCENE.convert("L").point(lambda level: 255 if level > 99 else 0))}


def over_an_image(*, mask: str | None, steps: int, **changes: object) -> ImageRequest:
    """A request that begins with the scene; a single step leaves none to skip."""
    start = StartImage(image="scene", strength=0.8 if steps > 1 else 1.0, mask=mask)
    return a_request(start=start, steps=steps, **changes)


common: dict[str, Any] = {
    "model": st.just("sd15"),
    "prompt": st.sampled_from(["fox", "owl"]),
    "steps": st.integers(1, 5),
    "width": st.sampled_from([128, 144]),
    "guidance_scale": st.sampled_from([0.0, 5.0]),
    "scheduler": st.sampled_from(Scheduler),
    "spacing": st.sampled_from(Spacing),
    "seed": st.integers(0, 99),
    "loras": st.lists(st.sampled_from(LORAS), max_size=2, unique=True).map(
        lambda keys: tuple(LoraUse(key=key, name=key, scale=0.5) for key in keys)
    ),
    "controls": st.lists(st.sampled_from([ControlKind.EDGE, ControlKind.POSE]), max_size=1).map(
        lambda kinds: tuple(ControlUse(kind=kind, image="scene") for kind in kinds)
    ),
}
requests = st.one_of(
    st.builds(a_request, **common),
    st.builds(over_an_image, mask=st.sampled_from([None, "mask"]), **common),
)


class Life(RuleBasedStateMachine):
    """One engine through every example: what one leaves behind, the next ones would find."""

    engine: ClassVar[Engine]
    alone: ClassVar[Engine]
    held_when_idle: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, ImageRequest] = {}
        self.snapshot: list[tuple[ImageRequest, bytes | None]] = []
        self.images: list[tuple[ImageRequest, bytes]] = []
        self.failures: list[Exception] = []
        self.count = 0
        self.patch = pytest.MonkeyPatch()
        self._let_calls_fail()
        # What an example's shortage of memory taught is not to bind the next one.
        self.engine._scheduler._limits.clear()

    def _let_calls_fail(self) -> None:
        advance = Denoiser.advance

        def fragile(denoiser: Denoiser, memory: RowMemory, renderings: Sequence[DenoisingState]) -> None:
            if self.failures:
                raise self.failures.pop()
            advance(denoiser, memory, renderings)

        self.patch.setattr(Denoiser, "advance", fragile)

    @rule(request=requests)
    def admit(self, request: ImageRequest) -> None:
        self._admit(request, None)

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        if self.snapshot:
            self._admit(*self.snapshot.pop(data.draw(st.integers(0, len(self.snapshot) - 1))))

    def _admit(self, request: ImageRequest, snapshot: bytes | None) -> None:
        self.count += 1
        ticket = str(self.count)
        self.open[ticket] = request
        self.engine.admit(ticket, request, snapshot, IMAGES)

    @rule(request=requests)
    def expect(self, request: ImageRequest) -> None:
        self.engine.expect(request)

    @rule(times=st.integers(1, 3))
    def step(self, times: int) -> None:
        for _ in range(times):
            self._take(step(self.engine))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.open:
            self.engine.cancel(data.draw(st.sampled_from(sorted(self.open))))

    @rule(data=st.data())
    def suspend(self, data: st.DataObject) -> None:
        if self.open:
            self.engine.suspend(data.draw(st.sampled_from(sorted(self.open))))

    @rule()
    def run_out_of_memory(self) -> None:
        self._fail(torch.OutOfMemoryError("CUDA out of memory"))

    @rule()
    def break_down(self) -> None:
        self._fail(ValueError("a bug"))

    def _fail(self, failure: Exception) -> None:
        # Not in the plain image by which the engine sees that the device survived the last failure.
        self.step(1)
        self.failures = [failure]
        self.step(1)
        self.failures.clear()

    def _take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Stepped():
                    assert event.ticket in self.open
                case Rendered():
                    self.images.append((self.open.pop(event.ticket), event.png))
                case Suspended():
                    self.snapshot.append((self.open.pop(event.ticket), event.snapshot))
                case Refused() | Faulted() | Dropped():
                    del self.open[event.ticket]
                case _:
                    raise AssertionError(event)

    @invariant()
    def pins_are_those_of_open_requests(self) -> None:
        pins = sum(adapter.pins for adapter in self._pool()._adapters.values())
        assert pins <= sum(len(request.loras) for request in self.open.values())

    def teardown(self) -> None:
        try:
            while not self.engine.idle:
                self._take(step(self.engine))
            self._check_nothing_stays()
            for request, image in self.images[:1]:
                self._check_the_same_alone(request, image)
        finally:
            self.patch.undo()

    def _check_nothing_stays(self) -> None:
        assert not self.open
        assert not self.engine._scheduler.keys
        assert not self.engine._cache.loaded["sd15"]._memories
        assert not any(adapter.pins for adapter in self._pool()._adapters.values())
        for where, pages in self._pool()._pools.items():
            used = sum(len(adapter.pages.get(where, ())) for adapter in self._pool()._adapters.values())
            assert len(pages._free) + used + 1 == len(pages.down)
        await_threads(self.engine)
        assert held_bytes() <= self.held_when_idle

    def _check_the_same_alone(self, request: ImageRequest, image: bytes) -> None:
        """As an engine makes it that has seen nothing of all this."""
        self.alone.admit("alone", read(image).request(), images=IMAGES)
        again = next(event.png for event in run(self.alone) if isinstance(event, Rendered))
        assert Image.open(io.BytesIO(again)).tobytes() == Image.open(io.BytesIO(image)).tobytes(), request

    def _pool(self) -> Any:
        return self.engine._cache.loaded["sd15"]._adapters


def step(engine: Engine) -> list[Event]:
    """One step with all that it says: which files are written by when is not to decide what an example does next."""
    events = engine.step()
    wait(engine._outgoing._unwritten())
    return events + engine._taken()


def run(engine: Engine) -> Iterator[Event]:
    while not engine.idle:
        yield from step(engine)


def held_bytes() -> int:
    """All memory that a tensor holds, each storage counted once; tracers' stand-ins for tensors hold none."""
    gc.collect()
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in gc.get_objects()
        if type(tensor) in {torch.Tensor, torch.nn.Parameter} and tensor.device.type == "cpu"
    }
    return sum(storages.values())


def await_threads(engine: Engine) -> None:
    """What a cancelled request left may still be read or written; then its tensors are held for a moment more."""
    loaders = [model.loras._cache._loader for model in engine._cache.loaded.values()]
    for pool in (engine._outgoing._writers, *loaders):
        met = Barrier(pool._max_workers)
        for passed in [pool.submit(met.wait) for _ in range(met.parties)]:
            passed.result()


@pytest.mark.timeout(1800)
@pytest.mark.hypothesis
def test_everyone_is_answered_once_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The LoRAs' room on the device holds two of three, so that they push each other out."""
    # pytest keeps what is logged, and with a traceback every tensor in its frames.
    for name in ("engine", "batch_step", "outgoing_events"):
        monkeypatch.setattr(logging.getLogger(f"pipeline.engine.{name}"), "disabled", True)
    save_sd15(tmp_path / "sd15")
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "sd15")
    for seed, key in enumerate(LORAS[:3]):
        wanted = lambda name: name.startswith("unet.") and name.endswith(("to_q", "to_v"))  # noqa: E731
        random_lora(pipeline, key, rank=4, wanted=wanted, seed=seed).save(tmp_path, "sd15")
    save_control(tmp_path / "sd15" / "controls" / "edge", pipeline.unet, seed=1)
    del pipeline
    spec = DeviceSpec(
        models=(str(tmp_path / "sd15"),), device="cpu", loras=tmp_path, threads=1, max_rows=8, preview_every=2
    )
    Life.alone, Life.engine = warm_engine(spec), warm_engine(spec)
    Life.held_when_idle = held_bytes()

    run_state_machine_as_test(Life, settings=settings(max_examples=examples(10), stateful_step_count=25))


def warm_engine(spec: DeviceSpec) -> Engine:
    """An engine that has met every LoRA, text and ControlNet, whose room for LoRAs is what two of them take."""
    engine = Engine(spec)
    engine.step()
    for prompt in ("fox", "owl"):
        uses = tuple(LoraUse(key=key, name=key, scale=0.5) for key in LORAS[:3])
        edge = ControlUse(kind=ControlKind.EDGE, image="scene")
        warm = a_request(model="sd15", prompt=prompt, steps=1, loras=uses, controls=(edge,))
        engine.admit(prompt, warm, images=IMAGES)
        assert any(isinstance(event, Rendered) for event in run(engine))
    pool: Any = engine._cache.loaded["sd15"]._adapters
    pool._budget = 2 * max(adapter.size for adapter in pool._adapters.values())
    return engine
