"""What a worker's heartbeat brings to the queue and hears of it."""

import asyncio
import errno
import logging
from collections.abc import Sequence

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.preparation import Preparations
from handlers.worker.heartbeat import Heartbeat
from storage.database import Database
from storage.errors import disk_error
from storage.queue.claim import suspects
from storage.queue.job_queue import Beat, ClaimStatus, JobQueue
from storage.queue.jobs import JobState
from storage.queue.snapshots import StoredSnapshot
from tests.eventually import eventually
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


class FullDisk(JobQueue):
    """A queue on a disk that is full for the first beats."""

    beats = 0

    async def heartbeat(self, worker: str, beats: Sequence[Beat]) -> dict[int, ClaimStatus]:
        self.beats += 1
        if self.beats <= 5:
            raise disk_error(OSError(errno.ENOSPC, "No space left on device"), "the database")
        return await super().heartbeat(worker, beats)


async def test_a_disk_that_stays_full_is_logged_once(
    context: AppContext, sqlite: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In its sentence, without a traceback twice a second; and that it works again."""
    monkeypatch.setattr("handlers.worker.heartbeat._BEAT_SECONDS", 0.001)
    caplog.set_level(logging.INFO)
    queue = FullDisk(sqlite)
    preparations = Preparations(queue=queue, blobs=context.blobs, kinds={})
    beating = asyncio.create_task(Heartbeat(name="w", queue=queue, slots=(), preparations=preparations).run())

    async def beats_again() -> bool:
        return queue.beats > 6

    await eventually(beats_again)
    beating.cancel()
    # Before the database is closed, which a beat under way would wait for without end.
    await asyncio.gather(beating, return_exceptions=True)

    assert [record.getMessage() for record in caplog.records] == [
        "the heartbeat failed; the next one tries again: The disk that holds the database is full; free some space "
        "there and try again.",
        "the heartbeat works again",
    ]
    assert not any(record.exc_info for record in caplog.records)
