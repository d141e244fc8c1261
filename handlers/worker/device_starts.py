"""The starts of a worker's devices: one that fails is tried again, ever more seldom."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from handlers.worker.device_slots import DeviceSlots

_log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 60.0
_MOST_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStarts:
    """Starts devices; `troubles` gets why one could not, `restart_seconds` is the first pause before another try."""

    restart_seconds: float
    troubles: dict[str, str]

    async def start(self, slots: DeviceSlots, start: Callable[[], Awaitable[None]]) -> None:
        """Start the device's process, however long the machine has no file, memory or process left for it."""
        while True:
            try:
                return await start()
            except OSError as error:
                _log.warning("device %s cannot be started; it is tried again", slots.device.name, exc_info=error)
                await self.pause(slots, f"its process cannot be started ({error.strerror})")

    async def pause(self, slots: DeviceSlots, why: str) -> None:
        """Wait before the device is tried again; a person may mend it meanwhile."""
        self.troubles[slots.device.name] = why
        failed, slots.failed_loads = slots.failed_loads, slots.failed_loads + 1
        await asyncio.sleep(min(_LONGEST_PAUSE, self.restart_seconds * 2 ** min(failed, _MOST_DOUBLINGS)))
