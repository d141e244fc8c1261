"""The life of a device, without the process or the thread around it."""

import queue
from pathlib import Path

import pytest

from pipeline.devices.loop import Commands, run_device
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import Cancel, Command, DrawMap, Event, Expect, Lost, Refused, Shutdown
from pipeline.requests.device_spec import DeviceSpec
from tests.contracts.test_device import SPEC, image

pytestmark = pytest.mark.slow


def lived(spec: DeviceSpec, *commands: Command) -> list[Event]:
    """The events of a device that was sent all of `commands` before it began."""
    sent: Commands = queue.SimpleQueue()
    for command in commands:
        sent.put(command)
    events: list[Event] = []
    run_device(spec, sent, events.append)
    return events


def test_a_device_serves_until_its_shutdown() -> None:
    """What was sent before is answered, what comes after is not even begun."""
    broken = DrawMap(
        ticket="map", use=ControlUse(kind=ControlKind.EDGE, image="x"), images={"x": b"no image"}, width=64, height=64
    )

    (refused,) = lived(SPEC, broken, Expect(request=image("x").request), Cancel(ticket="x"), Shutdown(), broken)

    assert isinstance(refused, Refused)
    assert refused.ticket == "map"


def test_a_model_that_is_not_here_is_one_sentence(tmp_path: Path) -> None:
    """And the end; nobody has to shut it down."""
    (lost,) = lived(DeviceSpec(models=(str(tmp_path / "nothing"),), device="cpu"))

    assert isinstance(lost, Lost)
    assert "check LIMNER_MODEL" in lost.why


def test_what_breaks_the_engine_itself_is_named_by_its_kind() -> None:
    """For the log: here a number of threads that torch does not take."""
    (lost,) = lived(DeviceSpec(models=("pocket",), device="cpu", threads=-1))

    assert isinstance(lost, Lost)
    assert lost.why.startswith("RuntimeError: ")
