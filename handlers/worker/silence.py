"""Ends a device that has work and says nothing."""

import asyncio
import logging
from typing import Final

from handlers.worker.device_slots import DeviceSlots

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0


async def watch(slots: DeviceSlots, silence_seconds: float) -> None:
    """Until cancelled; a device that hangs is ended, and all that follows is as if it had died."""
    while True:
        await asyncio.sleep(min(_LOOK_SECONDS, silence_seconds))
        if slots.silent_seconds > silence_seconds:
            _log.error("device %s said nothing for %.0f s; it is ended", slots.device.name, slots.silent_seconds)
            slots.hear()
            await slots.device.kill()
