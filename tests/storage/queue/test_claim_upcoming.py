"""Which jobs come next, so that a device can prepare: reading them claims nothing, on every database."""

from storage.guilds.guilds import Guild
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done, Retry
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job


async def test_nothing_is_upcoming_in_an_empty_queue(queue: JobQueue, guild: Guild) -> None:
    """And a guild that is known but wants nothing is not among those who are next."""
    assert await queue.upcoming(4) == ()


async def test_each_guild_is_there_with_its_next_job_in_the_order_of_claims(
    queue: JobQueue, guild: Guild, other_guild: Guild, enqueue: Enqueue
) -> None:
    """The guild and the member that used least come first; reading the order does not change it."""
    await enqueue("ann")
    held = await queue.claim("worker-1")
    assert held is not None
    await queue.settle(held, Done(device_seconds=50.0))
    await enqueue("ann")
    await enqueue("bob")
    theirs = await queue.enqueue(new_job(other_guild.id, "eve"))
    await queue.enqueue(new_job(other_guild.id, "eve"))

    upcoming = await queue.upcoming(4)
    assert await queue.upcoming(4) == upcoming
    assert await queue.upcoming(1) == upcoming[:1]

    assert [(job.guild_id, job.member_id) for job in upcoming] == [(other_guild.id, "eve"), (guild.id, "bob")]
    assert upcoming[0].id == theirs.id
    first = await queue.claim("worker-1")
    assert first is not None
    assert first.job.id == theirs.id


async def test_who_waits_for_a_retry_is_upcoming_when_the_time_comes(
    queue: JobQueue, clock: FakeClock, enqueue: Enqueue
) -> None:
    """What cannot be claimed yet need not be prepared yet."""
    await enqueue()
    held = await queue.claim("worker-1")
    assert held is not None
    await queue.settle(held, Retry(after_seconds=60.0, why="The device was lost."))
    assert await queue.upcoming(4) == ()

    clock.now += 60

    assert [job.id for job in await queue.upcoming(4)] == [held.job.id]
