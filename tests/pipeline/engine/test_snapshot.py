"""An image that was interrupted is the image that it would have been."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from pipeline.engine.engine import Engine
from pipeline.engine.snapshot import Snapshot
from pipeline.images.metadata import read
from pipeline.requests.device_messages import Dropped, Event, Rendered, Stepped, Suspended
from pipeline.requests.freeu import FreeU
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from pipeline.requests.step_window import StepWindow
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.random_loras import random_lora

STEPS = 4


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(replace(SPEC, snapshot_every=1, preview_every=0))


def run(engine: Engine, request: ImageRequest, snapshot: bytes | None = None) -> tuple[list[Stepped], bytes]:
    engine.admit("a", request, snapshot)
    steps: list[Stepped] = []
    while not engine.idle:
        for event in engine.step():
            if isinstance(event, Stepped):
                steps.append(event)
            if isinstance(event, Rendered):
                return steps, event.png
    raise AssertionError("no picture came")


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


@pytest.mark.parametrize("scheduler", Scheduler)
def test_a_suspended_image_goes_on_to_the_same_end(engine: Engine, scheduler: Scheduler) -> None:
    """With every scheduler's history and source of noise, from any step, in the bucket that it had."""
    request = a_request(scheduler=scheduler, steps=STEPS, guidance_scale=1)
    steps, undisturbed = run(engine, replace(request, bucket=2))
    snapshot = [step.snapshot for step in steps if step.snapshot]

    for packed in (snapshot[0], snapshot[-1]):
        rest, resumed = run(engine, request, packed)

        assert len(rest) < len(steps)
        assert pixels(resumed) == pixels(undisturbed)
        assert read(resumed).bucket == 2


def test_a_suspended_image_goes_on_with_what_its_step_asks_for(engine: Engine) -> None:
    """The text of the step, guidance or none, perturbed attention and FreeU."""
    request = a_request(
        prompt="a [red fox|blue apple] [:in snow:2]",
        scheduler=Scheduler.HEUN,
        steps=STEPS,
        guidance_window=StepWindow(stop=0.7),
        pag_scale=2,
        freeu=FreeU(b1=1.2, b2=1.3, s1=0.9, s2=0.5),
        bucket=4,
    )
    steps, undisturbed = run(engine, request)

    for packed in [step.snapshot for step in steps if step.snapshot]:
        assert pixels(run(engine, request, packed)[1]) == pixels(undisturbed)


def test_an_image_set_aside_leaves_nothing_and_goes_on(engine: Engine) -> None:
    """At any step, from that very step; nothing of it stays on the device."""
    request = a_request(scheduler=Scheduler.DPMPP_2M, steps=STEPS)
    steps, undisturbed = run(engine, request)
    for after in range(1, STEPS):
        engine.admit("a", request)
        events = [event for _ in range(after) for event in engine.step()]
        engine.suspend("a")
        engine.suspend("a")
        while not engine.idle:
            events += engine.step()

        assert [type(event) for event in events] == [*[Stepped] * after, Suspended]
        rest, resumed = run(engine, request, suspended_bytes(events[-1:]))
        assert len(rest) == len(steps) - after
        assert pixels(resumed) == pixels(undisturbed)


def suspended_bytes(events: list[Event]) -> bytes | None:
    (aside,) = events
    assert isinstance(aside, Suspended)
    return aside.snapshot


def test_an_image_set_aside_before_its_first_step_says_nothing(engine: Engine) -> None:
    """Nor after it was cancelled; one whose steps are done is finished instead."""
    engine.admit("a", a_request())
    engine.suspend("a")
    assert engine.step() == [Suspended(ticket="a", snapshot=None)]

    engine.admit("a", a_request())
    engine.cancel("a")
    engine.suspend("a")
    assert engine.step() == [Dropped(ticket="a")]

    engine.admit("a", a_request(steps=1))
    engine.admit("b", a_request(steps=1))
    events = engine.step()
    engine.suspend("b")
    while not engine.idle:
        events += engine.step()
    assert {event.ticket for event in events if isinstance(event, Rendered)} == {"a", "b"}


def test_a_snapshot_is_small_and_does_not_change(engine: Engine) -> None:
    """A copy, of a few latents' size."""
    steps, _ = run(engine, a_request(scheduler=Scheduler.DPMPP_2M, steps=STEPS))
    packed = next(step.snapshot for step in steps if step.snapshot)

    assert len(packed) < 16_000
    assert Snapshot.from_bytes(packed).to_bytes() == packed


@pytest.mark.parametrize("packed", [b"", b"nothing", b"\x10" + b"\0" * 7 + b'{"a": 1}' + b" " * 8])
def test_a_damaged_one_starts_again(engine: Engine, packed: bytes) -> None:
    """The image is not lost with it."""
    request = a_request(steps=2)

    assert pixels(run(engine, request, packed)[1]) == pixels(run(engine, request)[1])


def test_an_image_on_own_weights_goes_on_and_is_repeated(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """And so do those that ran beside it, without LoRAs or with one in some steps; nothing of the LoRA is left behind.

    Outside of its window an image is to the bit what it is without the LoRA.
    """
    model = model_folder("speck")
    pipeline = StableDiffusionXLPipeline.from_pretrained(model)
    random_lora(pipeline, "deep", rank=65, wanted=lambda name: ".attn" in name and "self" not in name, seed=1).save(
        tmp_path
    )
    spec = replace(SPEC, models=(str(model),), loras=tmp_path, snapshot_every=1, preview_every=0, max_rows=8)
    engine, plain = Engine(spec), a_request(model="speck", steps=STEPS)
    deep = LoraUse(key="deep", name="deep")
    requests = {
        "plain": plain,
        "deep": replace(plain, loras=(deep,)),
        "late": replace(plain, loras=(replace(deep, window=StepWindow(start=3), blocks="INALL"),), guidance_scale=1),
        "never": replace(plain, loras=(replace(deep, window=StepWindow(stop=1)),)),
    }
    for ticket, one in requests.items():
        engine.admit(ticket, one)
    events: list[Event] = []
    while not engine.idle:
        events += engine.step()
    images = {event.ticket: event.png for event in events if isinstance(event, Rendered)}
    snapshots = [event for event in events if isinstance(event, Stepped) and event.snapshot]

    assert len({pixels(png) for png in images.values()}) == 3
    assert pixels(images["never"]) == pixels(images["plain"])
    for png in images.values():
        assert read(png).own_weights
        assert pixels(run(engine, read(png).request())[1]) == pixels(png)
    for step in snapshots:
        assert pixels(run(engine, requests[step.ticket], step.snapshot)[1]) == pixels(images[step.ticket])
    scratch = engine._cache.loaded["speck"]._adapters.scratch
    assert scratch.size
    assert not any(slot.any() for slot in scratch._slots.values())
