"""What one device holds of a worker's jobs, and the wait for a slot that gets free."""

import asyncio
import time
from dataclasses import dataclass, field

from handlers.worker.device import Device
from handlers.worker.running_job import OpenJob


@dataclass(slots=True, kw_only=True)
class DeviceSlots:
    """The jobs on `device`, once it is `started`; `failed_loads` counts its failed starts since it was last ready."""

    device: Device
    started: bool = False
    failed_loads: int = 0
    _heard_at: float = field(default_factory=time.monotonic)
    _jobs: dict[int, OpenJob] = field(default_factory=dict)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def jobs(self) -> tuple[OpenJob, ...]:
        """All jobs that the device holds, the oldest first."""
        return tuple(self._jobs.values())

    @property
    def taken(self) -> int:
        """How many images it has still to make."""
        return sum(len(job.missing) for job in self._jobs.values())

    @property
    def has_map(self) -> bool:
        """Whether it has a map to draw."""
        return any(job.is_map for job in self._jobs.values())

    @property
    def silent_seconds(self) -> float:
        """For how long the device has said nothing though it has work."""
        return time.monotonic() - self._heard_at if self._jobs else 0.0

    def hear(self) -> None:
        """The device has said something."""
        self._heard_at = time.monotonic()

    def find(self, ticket: str) -> OpenJob | None:
        """The job of an image that is still missing, or None."""
        return next((job for job in self._jobs.values() if ticket in job.tickets()), None)

    def add(self, job: OpenJob) -> None:
        """The job is the device's from here on."""
        if not self._jobs:
            self.hear()
        self._jobs[job.claim.job.id] = job

    def drop(self, job: OpenJob) -> None:
        """The job is the device's no longer."""
        self._jobs.pop(job.claim.job.id, None)

    async def clear(self, job: OpenJob) -> None:
        """Drop the job and take what is left of it off the device."""
        self.drop(job)
        self.wake()
        for ticket in job.tickets():
            await self.device.cancel(ticket)

    async def cancel(self, job: OpenJob) -> None:
        """Have the device drop the job's images, once; it answers for each."""
        if job.cancelled:
            return
        job.cancelled = True
        for ticket in job.tickets():
            await self.device.cancel(ticket)

    async def suspend(self, job: OpenJob) -> None:
        """Have the device set the job's images aside; it answers for each."""
        for ticket in job.tickets():
            await self.device.suspend(ticket)

    def wake(self) -> None:
        """End every wait, as something has changed."""
        self._change.set()

    async def wait(self, stop: asyncio.Event, seconds: float) -> None:
        """Until there may be room, `stop` is set, or it is time to look at the queue again."""
        self._change.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (self._change, stop)]
        _, unfinished = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in unfinished:
            wait.cancel()

    async def wait_until_empty(self) -> None:
        """Until the device holds no job."""
        while self._jobs:
            self._change.clear()
            await self._change.wait()
