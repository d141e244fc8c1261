"""The worker keeps what devices park, hands it back to the next attempt, and sets aside what a stop interrupts."""

from pipeline.requests.device_messages import Faulted
from storage.queue.job_queue import Beat
from storage.queue.jobs import JobState
from storage.queue.snapshots import StoredSnapshot
from tests.eventually import eventually
from tests.fakes import FakeClock, FakeDevice
from tests.handlers.worker.shifts import STALE_SECONDS, Shift


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
