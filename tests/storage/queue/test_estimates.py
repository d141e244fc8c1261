"""Predictions: how long work takes, and when a queued job starts."""

import pytest

from storage.guilds.guilds import Guild, GuildStore
from storage.platform import Platform
from storage.queue.estimates import QueuePosition
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done, Retry
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job


async def test_estimate_follows_what_was_measured(queue: JobQueue, enqueue: Enqueue) -> None:
    """The prediction is a guess, or what the device measured, until a job like it is done; others stay apart."""
    await enqueue(units=10.0)
    held = await queue.claim("worker-1")
    assert held is not None
    assert await queue.estimate("pocket", 20.0) == 20.0
    assert await queue.estimate("pocket", 20.0, seconds_per_unit=0.01) == pytest.approx(0.2)

    await queue.settle(held, Done(device_seconds=5.0))

    assert await queue.estimate("pocket", 20.0, seconds_per_unit=0.01) == 10.0
    assert await queue.estimate("sdxl", 20.0) == 20.0


async def test_estimate_forgets_old_measurements(
    queue: JobQueue, enqueue: Enqueue, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A faster device shows after the last few jobs, however slow the jobs before were."""
    monkeypatch.setattr("storage.queue.estimates._MEASURED_JOBS", 3)
    for seconds in (1000.0, 1.0, 1.0, 1.0):
        await enqueue(units=1.0)
        held = await queue.claim("worker-1")
        assert held is not None
        clock.now += 1
        await queue.settle(held, Done(device_seconds=seconds))

    assert await queue.estimate("pocket", 1.0) == 1.0


async def test_place_takes_running_jobs_to_run_side_by_side(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """Two devices at work get through what is ahead twice as fast as one."""
    ids = [(await enqueue()).id for _ in range(4)]
    for worker in ("worker-1", "worker-2"):
        assert await queue.claim(worker) is not None

    assert await queue.place(guild.id, ids[3]) == QueuePosition(before=1, seconds=15.0)


async def test_place_is_no_sooner_than_a_job_may_run(queue: JobQueue, guild: Guild, claim: Claim) -> None:
    """A job that is to be tried again waits at least as long as its retry says, though nothing is ahead of it."""
    await queue.settle(claim, Retry(after_seconds=300, why="the device broke"))

    place = await queue.place(guild.id, claim.job.id)

    assert place == QueuePosition(before=0, seconds=300.0)


async def test_place_counts_jobs_and_seconds(queue: JobQueue, guild: Guild, enqueue: Enqueue, clock: FakeClock) -> None:
    """The third job of a lone member waits for the first two, less what the running one has done already."""
    ids = [(await enqueue(units=10.0)).id for _ in range(3)]
    assert await queue.place(guild.id, ids[2]) == QueuePosition(before=2, seconds=20.0)

    await queue.claim("worker-1")
    clock.now += 4

    assert await queue.place(guild.id, ids[2]) == QueuePosition(before=1, seconds=16.0)
    assert await queue.place(guild.id, ids[0]) is None


async def test_guilds_that_used_the_same_come_in_the_order_of_their_numbers(
    queue: JobQueue, guilds: GuildStore
) -> None:
    """The tenth after the ninth: as the claim takes them, and not as text."""
    ids = [(await guilds.ensure(Platform.DISCORD, str(number), "g")).id for number in range(12)]
    jobs = [await queue.enqueue(new_job(guild_id)) for guild_id in ids]

    places = [await queue.place(job.guild_id, job.id) for job in jobs]

    assert [place.before for place in places if place] == list(range(12))
    assert [held.job.guild_id for _ in ids if (held := await queue.claim("w"))] == ids
