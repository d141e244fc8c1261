"""Workers that come and go before one queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from storage.guilds.guilds import Guild
from storage.queue.job_queue import Claim
from storage.queue.jobs import Job, JobState
from storage.queue.snapshots import StoredSnapshot
from tests.eventually import eventually
from tests.fakes import FakeDevice, request
from tests.new_jobs import new_job

STALE_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Shift:
    """A guild's queue, and workers that come and go."""

    context: AppContext
    guild: Guild
    device: FakeDevice = field(default_factory=lambda: FakeDevice(eager=False))

    async def enqueue(self, **changes: Any) -> Job:
        return await self.context.queue.enqueue(new_job(self.guild.id, payload=REQUEST.write(request(**changes))))

    @asynccontextmanager
    async def working(self, *, images_at_once: int = 4, suspend_seconds: float = 5.0) -> AsyncIterator[None]:
        """Until the block ends, then a soft stop."""
        stop = asyncio.Event()
        worker = Worker(
            name="worker",
            queue=self.context.queue,
            blobs=self.context.blobs,
            costs=self.context.costs,
            jobs=JOBS,
            devices=(self.device,),
            images_at_once=images_at_once,
            drain_seconds=0.0,
            suspend_seconds=suspend_seconds,
        )
        task = asyncio.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def submitted(self, count: int) -> None:
        async def look() -> bool:
            return len(self.device.submitted) >= count

        await eventually(look)

    async def until(self, job: Job, state: JobState) -> Job:
        async def look() -> Job | None:
            found = await self.context.queue.get(self.guild.id, job.id)
            return found if found and found.state is state else None

        return await eventually(look)

    async def kept(self, job: Job, *snapshot: StoredSnapshot) -> None:
        """Wait until the queue keeps exactly these."""
        claim = Claim(job=job, worker="", token=0)

        async def look() -> bool:
            return await self.context.queue.snapshot(claim) == snapshot

        await eventually(look)
