"""The worker keeps what devices park, hands it back to the next attempt, and sets aside what a stop interrupts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.payloads import write_request
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.requests.device_messages import Faulted
from storage.guilds.guilds import Guild
from storage.queue.job_queue import Beat, Claim
from storage.queue.jobs import Job, JobState
from storage.queue.snapshots import StoredSnapshot
from tests.eventually import eventually
from tests.fakes import FakeClock, FakeDevice, request
from tests.new_jobs import new_job

STALE_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Shift:
    """A guild's queue, and workers that come and go."""

    context: AppContext
    guild: Guild
    device: FakeDevice = field(default_factory=lambda: FakeDevice(eager=False))

    async def enqueue(self, **changes: Any) -> Job:
        return await self.context.queue.enqueue(new_job(self.guild.id, payload=write_request(request(**changes))))

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


@pytest.fixture
def shift(context: AppContext, guild: Guild) -> Shift:
    return Shift(context=context, guild=guild)


async def test_an_image_goes_on_where_a_killed_device_left_it(shift: Shift) -> None:
    """With the newest that was heard of it, though no beat had taken it to the queue yet."""
    job = await shift.enqueue(count=2, steps=9)
    async with shift.working():
        await shift.submitted(2)
        first, second = shift.device.submitted
        shift.device.step(first, 2, snapshot=b"step 2")
        shift.device.step(second, 2, snapshot=b"other 2")
        shift.device.step(first, 3)
        shift.device.step(first, 4, snapshot=b"step 4")
        shift.device.die()
        await shift.submitted(4)
        for render in shift.device.submitted[2:]:
            shift.device.finish(render)
        await shift.until(job, JobState.DONE)

    assert [render.snapshot for render in shift.device.submitted] == [None, None, b"step 4", b"other 2"]
    assert [render.request.seed for render in shift.device.submitted[2:]] == [7, 8]
    await shift.kept(job)


async def test_snapshots_go_with_the_beats(shift: Shift) -> None:
    """The newest of each image replaces the one before."""
    job = await shift.enqueue(steps=9)
    async with shift.working():
        await shift.submitted(1)
        for step in (2, 4):
            snapshot = StoredSnapshot(index=0, data=f"step {step}".encode())
            shift.device.step(shift.device.submitted[0], step, snapshot=snapshot.data)
            await shift.kept(job, snapshot)


async def test_an_image_goes_on_where_a_killed_worker_left_it(shift: Shift, clock: FakeClock) -> None:
    """When the job has been rescued, another worker begins with what the last beat brought."""
    job = await shift.enqueue(steps=9)
    claim = await shift.context.queue.claim("killed")
    assert claim is not None
    snapshot = StoredSnapshot(index=0, data=b"step 4")
    await shift.context.queue.heartbeat("killed", [Beat(claim=claim, step=4, steps=9, snapshot=(snapshot,))])
    clock.advance(STALE_SECONDS)
    assert await shift.context.queue.rescue(STALE_SECONDS) == [job.id]
    shift.device.eager = True

    async with shift.working():
        await shift.until(job, JobState.DONE)

    assert [render.snapshot for render in shift.device.submitted] == [b"step 4"]


async def test_a_finished_image_has_no_snapshot(shift: Shift) -> None:
    """Only the missing one comes again, from where it was."""
    job = await shift.enqueue(count=2, steps=9)
    async with shift.working():
        await shift.submitted(2)
        for render in shift.device.submitted:
            shift.device.step(render, 2, snapshot=render.ticket[-1].encode())
        await shift.kept(job, StoredSnapshot(index=0, data=b"0"), StoredSnapshot(index=1, data=b"1"))
        shift.device.finish(shift.device.submitted[0])
        await shift.kept(job, StoredSnapshot(index=1, data=b"1"))
        shift.device.die()
        await shift.submitted(3)
        shift.device.finish(shift.device.submitted[2])
        await shift.until(job, JobState.DONE)

    assert shift.device.submitted[2].snapshot == b"1"


async def test_a_resumed_image_that_faults_begins_again(shift: Shift, clock: FakeClock) -> None:
    """A first fault loses nothing; a second may come of the snapshot."""
    job = await shift.enqueue(steps=9)
    async with shift.working():
        await shift.submitted(1)
        shift.device.step(shift.device.submitted[0], 2, snapshot=b"step 2")
        await shift.kept(job, StoredSnapshot(index=0, data=b"step 2"))
        for attempt in (1, 2):
            shift.device.say(Faulted(ticket=shift.device.submitted[-1].ticket, why="a glitch"))
            await shift.until(job, JobState.QUEUED)
            clock.advance(60)
            await shift.submitted(attempt + 1)
        shift.device.finish(shift.device.submitted[-1])
        await shift.until(job, JobState.DONE)

    assert [render.snapshot for render in shift.device.submitted] == [None, b"step 2", None]


async def test_a_soft_stop_sets_images_aside_for_the_next_process(shift: Shift) -> None:
    """From the very step that they had reached; the finished one is kept; the attempt does not count."""
    job = await shift.enqueue(count=3, steps=9)
    shift.device.to_suspend = {1: b"step 5", 2: b"step 3"}
    async with shift.working():
        await shift.submitted(3)
        shift.device.finish(shift.device.submitted[0])

        async def recorded() -> bool:
            return len(await shift.context.queue.images(shift.guild.id, job.id)) == 1

        await eventually(recorded)
    waiting = await shift.until(job, JobState.QUEUED)
    assert waiting.attempt == 0
    shift.device = FakeDevice()

    async with shift.working():
        await shift.until(job, JobState.DONE)

    assert [render.snapshot for render in shift.device.submitted] == [b"step 5", b"step 3"]


async def test_a_soft_stop_keeps_the_snapshot_of_an_image_that_had_not_begun_again(shift: Shift) -> None:
    """A device that says nothing new of it takes nothing away."""
    job = await shift.enqueue(steps=9)
    shift.device.to_suspend = {0: b"step 5"}
    async with shift.working():
        await shift.submitted(1)
    shift.device = FakeDevice(eager=False)
    async with shift.working():
        await shift.submitted(1)

    await shift.kept(await shift.until(job, JobState.QUEUED), StoredSnapshot(index=0, data=b"step 5"))


async def test_a_soft_stop_does_not_wait_for_a_device_that_hangs(shift: Shift) -> None:
    """The job goes back with what was heard last."""
    job = await shift.enqueue(steps=9)
    shift.device.deaf = True
    async with shift.working(suspend_seconds=0.0):
        await shift.submitted(1)
        shift.device.step(shift.device.submitted[0], 2, snapshot=b"step 2")
        await shift.kept(job, StoredSnapshot(index=0, data=b"step 2"))

    assert (await shift.until(job, JobState.QUEUED)).attempt == 0
    await shift.kept(job, StoredSnapshot(index=0, data=b"step 2"))


async def test_a_busy_device_hears_once_what_is_next(shift: Shift) -> None:
    """The first job of each guild, in fair order; once more when it was started again."""
    await shift.enqueue(prompt="running")
    async with shift.working(images_at_once=1):
        await shift.submitted(1)
        await shift.enqueue(prompt="next")
        await shift.enqueue(prompt="later")

        async def expected(count: int) -> bool:
            return len(shift.device.expected) >= count

        await eventually(lambda: expected(1))
        shift.device.finish(shift.device.submitted[0])
        await shift.submitted(2)
        await eventually(lambda: expected(2))
        shift.device.die()
        await eventually(lambda: expected(3))

    assert [render.request.prompt for render in shift.device.submitted[:3]] == ["running", "next", "next"]
    assert [expected.prompt for expected in shift.device.expected] == ["next", "later", "later"]
