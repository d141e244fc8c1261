"""What a worker's heartbeat brings to the queue and hears of it."""

from storage.queue.claim import suspects
from storage.queue.jobs import JobState
from storage.queue.snapshots import StoredSnapshot
from tests.fakes import FakeClock
from tests.handlers.worker.shifts import STALE_SECONDS, Shift


async def test_snapshots_go_with_the_beats(shift: Shift) -> None:
    """The newest of each image replaces the one before."""
    job = await shift.enqueue(steps=9)
    async with shift.working():
        await shift.submitted(1)
        for step in (2, 4):
            snapshot = StoredSnapshot(index=0, data=f"step {step}".encode())
            shift.device.step(shift.device.submitted[0], step, snapshot=snapshot.data)
            await shift.kept(job, snapshot)


async def test_a_cancelled_job_is_dropped_by_its_device(shift: Shift) -> None:
    """Every image of it, and the job ends cancelled."""
    job = await shift.enqueue(count=2, steps=9)
    async with shift.working():
        await shift.submitted(2)
        await shift.context.queue.cancel(shift.guild.id, job.id)
        await shift.until(job, JobState.CANCELLED)

    assert set(shift.device.cancelled) == {render.ticket for render in shift.device.submitted}


async def test_a_job_that_was_taken_from_us_is_let_go(shift: Shift, clock: FakeClock) -> None:
    """Its device makes nothing more of it, and begins with what comes next."""
    job = await shift.enqueue(steps=9)
    async with shift.working(images_at_once=1):
        await shift.submitted(1)
        clock.advance(STALE_SECONDS)
        assert await shift.context.queue.rescue(STALE_SECONDS) == [job.id]
        taken = await shift.context.queue.claim("another worker", suspects())
        assert taken is not None
        await shift.enqueue(prompt="next")
        await shift.submitted(2)

    assert taken.job.id == job.id
    first, second = shift.device.submitted
    assert first.ticket in shift.device.cancelled
    assert second.request.prompt == "next"
