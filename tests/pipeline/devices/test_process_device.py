"""A device in a child process: it may not load, and it may be killed."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from pipeline.devices.process_device import ChildDevice
from pipeline.requests.device_messages import (
    Lost,
    Rendered,
    Stepped,
)
from pipeline.requests.device_spec import DeviceSpec
from tests.contracts.test_device import SPEC, Listener, image

pytestmark = pytest.mark.slow


async def test_a_device_that_cannot_load_is_lost_with_a_sentence(tmp_path: Path) -> None:
    """And says once what to do."""
    device = ChildDevice(DeviceSpec(models=(str(tmp_path / "nothing"),), device="cpu"))
    await device.start()

    events = await Listener(device).until(Lost)

    await device.close()
    assert len(events) == 1
    assert isinstance(events[0], Lost)
    assert "check LIMNER_MODEL" in events[0].why


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_killed_process_is_lost_once_and_starts_again() -> None:
    """In mid-render; what is sent in between is lost with it, not an error. On a CPU answers come before it."""
    before = set(children_of(os.getpid()))
    device = ChildDevice(SPEC)
    listening = Listener(device)
    await device.start()
    await device.submit(image("a", steps=150))
    await listening.until(Stepped)
    (process,) = set(children_of(os.getpid())) - before
    assert psutil.Process(process).nice() > psutil.Process().nice()

    os.kill(process, signal.SIGKILL)
    events = await listening.until(Lost)
    await device.cancel("a")
    await device.submit(image("too late"))

    assert events[-1] == Lost(why="the device's process ended with signal 9")
    assert await listening.until(Lost) == [Lost(why="the device is not running")]
    await device.restart()
    await device.submit(image("b", steps=1))
    assert isinstance((await listening.until(Rendered))[-1], Rendered)
    await device.close()
    assert set(children_of(os.getpid())) == before


async def test_a_process_that_cannot_be_understood_is_lost_too() -> None:
    """A listener that ended in silence would keep its jobs waiting for ever."""
    device = ChildDevice(SPEC, program="tests.pipeline.devices.garbled")
    await device.start()

    assert await Listener(device).until(Lost) == [Lost(why="what it sent cannot be read (UnpicklingError)")]
    await device.close()
