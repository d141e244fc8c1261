"""What every device promises its worker, whether it is a child process or a thread of this one."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from handlers.worker.device import Device
from pipeline.control.annotators import control_map
from pipeline.devices.process_device import ChildDevice
from pipeline.images.input_image import resized
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import (
    DrawMap,
    Dropped,
    Event,
    Lost,
    Ready,
    Refused,
    Render,
    Rendered,
    Stepped,
    Suspended,
)
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler

SPEC = DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=1)
DEADLINE_SECONDS = 100

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


class Listener:
    """The worker's half: reads events until one that a test waits for."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._events = device.events()

    async def until(self, kind: type[Event]) -> list[Event]:
        seen: list[Event] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for event in self._events:
                seen.append(event)
                if isinstance(event, kind):
                    return seen
        raise AssertionError(f"the events ended before {kind}")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["child", "local"])
async def listener(request: pytest.FixtureRequest) -> AsyncIterator[Listener]:
    if request.param == "local":
        from pipeline.devices.thread_device import LocalDevice  # noqa: PLC0415  only where it is asked for

        device: Device = LocalDevice(SPEC)
    else:
        device = ChildDevice(SPEC)
    await device.start()
    listening = Listener(device)
    ready = await listening.until(Ready)
    assert isinstance(ready[0], Ready)
    assert "pocket" in ready[0].description
    yield listening
    await device.close()
    assert [event async for event in device.events()] == []


def image(ticket: str, **changes: Any) -> Render:
    fields: dict[str, Any] = {
        "prompt": "red fox",
        "width": 64,
        "height": 64,
        "steps": 3,
        "guidance_scale": 5.0,
        "seed": 1,
        "model": "pocket",
        "scheduler": Scheduler.EULER,
    }
    return Render(ticket=ticket, request=ImageRequest(**{**fields, **changes}))


async def test_a_submitted_image_steps_and_is_rendered(listener: Listener) -> None:
    """With previews on the way, under its own ticket."""
    await listener.device.submit(image("a"))

    events = await listener.until(Rendered)

    steps = [event for event in events if isinstance(event, Stepped)]
    assert [(step.ticket, step.step, step.steps) for step in steps] == [("a", number, 3) for number in (1, 2, 3)]
    assert steps[0].preview is not None
    assert isinstance(events[-1], Rendered)
    assert events[-1].png.startswith(b"\x89PNG")


async def test_a_cancelled_image_is_dropped(listener: Listener) -> None:
    """At its next step; a ticket that is unknown is ignored."""
    await listener.device.submit(image("b", steps=150))
    await listener.until(Stepped)
    await listener.device.cancel("nobody")
    await listener.device.cancel("b")

    events = await listener.until(Dropped)

    assert events[-1] == Dropped(ticket="b")
    assert len(events) < 100


async def test_a_suspended_image_goes_on_from_its_snapshot(listener: Listener) -> None:
    """It leaves its slot at once; submitted again with its snapshot, its next step is the one after."""
    render = image("p", steps=150)
    await listener.device.submit(render)
    await listener.until(Stepped)
    await listener.device.suspend("nobody")
    await listener.device.suspend("p")
    *before, aside = await listener.until(Suspended)
    assert isinstance(aside, Suspended)
    done = max((event.step for event in before if isinstance(event, Stepped)), default=1)

    await listener.device.submit(replace(render, snapshot=aside.snapshot))
    first = (await listener.until(Stepped))[-1]
    await listener.device.cancel("p")
    await listener.until(Dropped)

    assert isinstance(first, Stepped)
    assert first.step == done + 1


async def test_expecting_a_request_is_answered_by_nothing(listener: Listener) -> None:
    """It is there for its effect alone: what a LoRA takes to load is over when the request comes."""
    await listener.device.expect(image("e", loras=(LoraUse(key="missing", name="glossy"),)).request)
    await listener.device.submit(image("e", steps=1))

    events = await listener.until(Rendered)

    assert {type(event) for event in events} == {Stepped, Rendered}


async def test_a_map_is_drawn_beside_the_images(listener: Listener) -> None:
    """To the last pixel the one that the annotator draws; what can never be drawn is refused."""
    scene = Image.linear_gradient("L").rotate(30).convert("RGB")
    file = io.BytesIO()
    scene.save(file, "PNG")
    edges = DrawMap(
        ticket="m",
        use=ControlUse(kind=ControlKind.EDGE, image="scene"),
        width=96,
        height=64,
        images={"scene": file.getvalue()},
    )

    await listener.device.submit(edges)
    *others, map_ = await listener.until(Rendered)
    await listener.device.submit(replace(edges, ticket="n", images={"scene": b"words"}))
    refused = (await listener.until(Refused))[-1]

    assert not others
    assert isinstance(map_, Rendered)
    assert map_.ticket == "m"
    expected = control_map(ControlKind.EDGE, resized(scene, (96, 64)))
    assert Image.open(io.BytesIO(map_.png)).tobytes() == expected.tobytes()
    assert isinstance(refused, Refused)
    assert "cannot be read" in refused.sentence


async def test_what_cannot_succeed_is_refused(listener: Listener) -> None:
    """In one sentence for the member."""
    await listener.device.submit(image("c", width=4096))

    events = await listener.until(Refused)

    assert events == [events[-1]]
    assert isinstance(events[-1], Refused)
    assert "4096×64 is too large for pocket" in events[-1].sentence


async def test_a_device_that_is_killed_says_so_and_can_be_started_again(listener: Listener) -> None:
    """Whatever it was at."""
    await listener.device.submit(image("k", steps=150))
    await listener.until(Stepped)

    await listener.device.kill()
    await listener.until(Lost)
    await listener.device.restart()

    await listener.until(Ready)
