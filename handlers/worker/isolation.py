"""Where suspects run: on a device of their own, so that another death of it tells more than the one before."""

import asyncio
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final

from handlers.worker.device_slots import DeviceSlots
from storage.queue.claim import suspects
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job

_LOOK_SECONDS: Final = 0.25


@dataclass(slots=True, kw_only=True)
class Isolation:
    """Keeps one device of `worker` at a time for suspects, so that they are known even if the whole worker dies.

    No job is claimed for that device until those on it have ended. `ready` are the names of the devices that have
    loaded: nothing is put on one that died a moment ago.
    """

    queue: JobQueue
    worker: str
    ready: Set[str]
    _kept: DeviceSlots | None = None
    _waiting: set[int] = field(default_factory=set)

    def keeps(self, slots: DeviceSlots) -> bool:
        """Whether the device is for suspects alone."""
        return self._kept is slots

    async def claim(self, slots: DeviceSlots) -> list[Claim]:
        """The suspects that are to run on the device next; none before it is empty, and it is kept until then."""
        if any(job.claim.job.together for job in slots.jobs):
            return []
        ready = await self.queue.is_ready(suspects())
        if self._kept not in (None, slots):
            return []
        if not ready:
            if not slots.jobs and not self._waiting:
                self._kept = None
            return []
        self._kept = slots
        return [] if slots.jobs else await self.queue.claim_suspects(self.worker)

    async def enter(self, slots: DeviceSlots, job: Job, stop: asyncio.Event, *, waits: bool) -> bool:
        """Whether the job may go to the device now; one that `waits` comes back when it may."""
        try:
            while not self._admits(slots, job):
                if not waits:
                    return False
                if job.together is not None:  # any other waits for the end of this
                    self._waiting.add(job.id)
                await slots.wait(stop, _LOOK_SECONDS)
        finally:
            self._waiting.discard(job.id)
        return True

    def _admits(self, slots: DeviceSlots, job: Job) -> bool:
        if slots.device.name not in self.ready:
            return False
        if job.together is None:
            return not self.keeps(slots)
        self._kept = self._kept or slots
        bounds = [other.claim.job.together or 0 for other in slots.jobs]
        return self.keeps(slots) and len(bounds) < min([job.together, *bounds])
