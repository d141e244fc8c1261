"""Retention deletes old answered jobs and nothing else, on every database."""

import pytest

from storage.database import Database
from storage.guilds.guilds import Guild
from storage.guilds.retention import delete_old_jobs
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done, Job
from storage.queue.outbox import Outbox
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue


async def _finish(queue: JobQueue, outbox: Outbox, enqueue: Enqueue) -> Job:
    job = await enqueue()
    claim = await queue.claim("worker-1")
    assert claim is not None
    await queue.settle(claim, Done(device_seconds=1.0))
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.mark_posted(reply, "m1")
    return job


async def test_old_jobs_go_when_they_were_answered(
    database: Database, queue: JobQueue, outbox: Outbox, guild: Guild, clock: FakeClock, enqueue: Enqueue
) -> None:
    """Of an old answered job, a younger one, an unanswered one and a queued one, only the first is deleted."""
    old = await _finish(queue, outbox, enqueue)
    unanswered = await enqueue()
    await queue.cancel(guild.id, unanswered.id)
    clock.now += 100
    young = await enqueue()
    await queue.cancel(guild.id, young.id)
    for reply in await outbox.due(Platform.DISCORD, "chat-1"):
        if reply.job.id == young.id:
            await outbox.mark_posted(reply, "m1")
    waiting = await enqueue()

    assert await delete_old_jobs(database, 100) == 1

    left = {job.id for job in await queue.guild_jobs(guild.id)}
    assert left == {unanswered.id, young.id, waiting.id}
    assert old.id not in left


async def test_retention_goes_on_after_a_batch(
    database: Database, queue: JobQueue, outbox: Outbox, enqueue: Enqueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """More old jobs than one batch holds are all deleted in one call."""
    monkeypatch.setattr("storage.guilds.retention._BATCH", 2)
    for _ in range(5):
        await _finish(queue, outbox, enqueue)

    assert await delete_old_jobs(database, 0) == 5
