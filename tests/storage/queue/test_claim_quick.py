"""Jobs that need no slot of a device are claimed past all that do, on every database."""

import asyncio

from sqlalchemy import delete

from storage import tables
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.claim import QUICK
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done, JobKind, Retry
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job


async def test_a_map_is_claimed_past_images_that_came_before(queue: JobQueue, enqueue: Enqueue) -> None:
    """And nothing else is; in the fair order it has its turn like any other."""
    assert await queue.claim("worker-1", QUICK) is None
    image = await enqueue("ann")
    first = await enqueue("ann", kind=JobKind.DRAW_MAP)
    second = await enqueue("ann", kind=JobKind.DRAW_MAP)

    quick = await queue.claim("worker-1", QUICK)
    fair = [await queue.claim("worker-1") for _ in range(2)]

    assert quick is not None
    assert (quick.job.id, quick.job.kind, quick.job.attempt) == (first.id, JobKind.DRAW_MAP, 1)
    assert [claim.job.id for claim in fair if claim is not None] == [image.id, second.id]
    assert await queue.claim("worker-1", QUICK) is None


async def test_maps_are_shared_between_guilds_as_images_are(
    database: Database, queue: JobQueue, guild: Guild, other_guild: Guild
) -> None:
    """A guild that asks for many waits for one that asks for one; what a map took counts for its guild."""
    for _ in range(3):
        await queue.enqueue(new_job(guild.id, kind=JobKind.DRAW_MAP))
    await queue.enqueue(new_job(other_guild.id, "zoe", kind=JobKind.DRAW_MAP))

    order = []
    while (claim := await queue.claim("worker-1", QUICK)) is not None:
        order.append(claim.job.guild_id)
        await queue.settle(claim, Done(device_seconds=1.0))

    assert order == [guild.id, other_guild.id, guild.id, guild.id]
    async with database.write() as connection:
        # Nothing waits in a share that has been served, or this would leave a count behind.
        gone = await connection.execute(
            delete(tables.guild_shares)
            .where(tables.guild_shares.c.waiting == 0)
            .returning(tables.guild_shares.c.guild_id)
        )
        assert len(gone.all()) == 2


async def test_two_workers_never_take_one_map(queue: JobQueue, enqueue: Enqueue) -> None:
    """However near to each other they ask."""
    made = [await enqueue("ann", kind=JobKind.DRAW_MAP) for _ in range(4)]

    claims = await asyncio.gather(*(queue.claim(f"worker-{number}", QUICK) for number in range(6)))

    assert sorted(claim.job.id for claim in claims if claim is not None) == [job.id for job in made]


async def test_a_map_that_is_to_be_tried_again_waits_for_its_time(
    queue: JobQueue, enqueue: Enqueue, clock: FakeClock
) -> None:
    """As every job does."""
    await enqueue("ann", kind=JobKind.DRAW_MAP)
    claim = await queue.claim("worker-1", QUICK)
    assert claim is not None
    await queue.settle(claim, Retry(after_seconds=5.0, why="A fault."))

    assert await queue.claim("worker-1", QUICK) is None
    clock.advance(5.0)
    assert await queue.claim("worker-1", QUICK) is not None
