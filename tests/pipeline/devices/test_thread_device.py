"""A device on a thread of this process, where it is not yet one or no longer."""

import pytest

from pipeline.devices.thread_device import LocalDevice
from pipeline.requests.device_messages import Lost, Ready
from tests.contracts.test_device import SPEC, Listener, image

pytestmark = pytest.mark.slow


async def test_what_comes_before_the_start_is_lost() -> None:
    """As in a process that has died."""
    device = LocalDevice(SPEC)

    await device.submit(image("early"))

    assert await Listener(device).until(Lost) == [Lost(why="the device is not running")]


async def test_a_restarted_device_is_ready_again() -> None:
    """On another thread; a closed one has no more events."""
    device = LocalDevice(SPEC)
    listener = Listener(device)
    await device.start()
    await listener.until(Ready)

    await device.restart()

    assert isinstance((await listener.until(Ready))[-1], Ready)
    await device.close()
    assert [event async for event in device.events()] == []
