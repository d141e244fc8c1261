"""What a busy device is told of the jobs that are next, so that their LoRAs are there when they come."""

from dataclasses import dataclass, field

from handlers.jobs.payloads import REQUEST
from handlers.worker.device import Device
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Job, JobKind


@dataclass(slots=True, kw_only=True)
class Prefetch:
    """Looks at the `depth` jobs that are next; each device hears of a job once for as long as it is among them."""

    queue: JobQueue
    depth: int
    _announced: dict[str, set[int]] = field(default_factory=dict)

    async def tell(self, device: Device) -> tuple[Job, ...]:
        """Let the device expect what it has not been told of; returns the jobs that are next, in fair order."""
        known = self._announced.get(device.name, set())
        upcoming = await self.queue.upcoming(self.depth)
        self._announced[device.name] = {job.id for job in upcoming}
        for job in upcoming:
            if job.id not in known and job.kind in (JobKind.IMAGINE, JobKind.MIX_LORAS):
                await device.expect(REQUEST.read(job.payload))
        return upcoming

    def has_announced(self, device: Device) -> bool:
        """Whether the device may be loading what a waiting job needs."""
        return bool(self._announced.get(device.name))

    def forget(self, device: Device) -> None:
        """The device has lost what it had loaded."""
        self._announced.pop(device.name, None)
