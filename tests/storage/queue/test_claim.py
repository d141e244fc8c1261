"""Who is next: between guilds, then between members, by the device seconds used lately; on every database."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from storage import tables
from storage.database import Database
from storage.guilds.guilds import Guild, GuildStore
from storage.platform import Platform
from storage.queue.fair_share import HALF_LIFE_SECONDS
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done, Job, Retry
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job
from tests.tiers import examples

EXAMPLES = settings(
    max_examples=examples(8),
    # Every example begins with an empty database, see `_start`.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WHO = st.tuples(st.integers(0, 2), st.sampled_from("abc"))


async def _start(database: Database, guilds: GuildStore) -> list[int]:
    async with database.write() as connection:
        await connection.execute(delete(tables.guilds))
    return [(await guilds.ensure(Platform.DISCORD, str(number), "g")).id for number in range(3)]


async def _next(queue: JobQueue) -> Claim:
    held = await queue.claim("worker-1")
    assert held is not None
    return held


async def _flood(database: Database, job: Job, copies: int) -> None:
    """Queues `copies` more of `job`, in one statement a table."""
    columns = [column for column in tables.jobs.c if column.name != "id"]
    async with database.write() as connection:
        row = (await connection.execute(select(*columns).where(tables.jobs.c.id == job.id))).mappings().one()
        await connection.execute(tables.jobs.insert(), [dict(row) for _ in range(copies)])
        for shares in (tables.guild_shares, tables.member_shares):
            grown = {"waiting": shares.c.waiting + copies, "waiting_seconds": shares.c.waiting_seconds + copies * 10.0}
            await connection.execute(shares.update().values(grown))


@pytest.mark.parametrize("who", ["member", "guild"])
async def test_two_hundred_jobs_delay_a_newcomer_by_the_running_one(
    who: str, database: Database, queue: JobQueue, other_guild: Guild, clock: FakeClock, enqueue: Enqueue
) -> None:
    """A member with 200 queued jobs holds back another member's, or another guild's, first job by one job only."""
    await _flood(database, await enqueue("ann"), 199)
    for _ in range(3):
        held = await _next(queue)
        clock.now += 10
        await queue.settle(held, Done(device_seconds=10.0))
    running = await _next(queue)

    first = await (enqueue("bob") if who == "member" else queue.enqueue(new_job(other_guild.id, "zoe")))
    place = await queue.place(first.guild_id, first.id)
    await queue.settle(running, Done(device_seconds=10.0))

    assert place is not None
    assert place.before == 0
    assert (await _next(queue)).job.id == first.id


async def test_busy_member_does_not_weigh_on_the_rest_of_the_guild(
    queue: JobQueue, guild: Guild, other_guild: Guild
) -> None:
    """Two guilds share alike, however many members one of them brings."""
    for member in "abcdef":
        await queue.enqueue(new_job(guild.id, member))
    for _ in range(6):
        await queue.enqueue(new_job(other_guild.id, "zoe"))

    order = [(await _next(queue)).job.guild_id for _ in range(12)]

    assert {order[turn : turn + 2].count(guild.id) for turn in range(0, 12, 2)} == {1}


async def test_parallel_workers_spread(queue: JobQueue, enqueue: Enqueue) -> None:
    """Claims that are still running count already: four workers take four members' jobs."""
    for member in "aaaabcd":
        await enqueue(member)

    assert {(await _next(queue)).job.member_id for _ in range(4)} == set("abcd")


async def test_what_was_used_counts_not_what_was_predicted(queue: JobQueue, enqueue: Enqueue) -> None:
    """A member whose job took longer than predicted waits for one whose job took less."""
    for member in "abab":
        await enqueue(member, units=10.0)
    for seconds in (30.0, 5.0):
        await queue.settle(await _next(queue), Done(device_seconds=seconds))

    assert [(await _next(queue)).job.member_id for _ in range(2)] == ["b", "a"]


async def test_use_is_forgotten(queue: JobQueue, enqueue: Enqueue, clock: FakeClock) -> None:
    """A long use of hours ago weighs less than a short one of now."""
    await enqueue("a", units=100.0)
    await queue.settle(await _next(queue), Done(device_seconds=100.0))
    clock.now += 5 * HALF_LIFE_SECONDS
    await enqueue("b", units=10.0)
    await queue.settle(await _next(queue), Done(device_seconds=10.0))

    await enqueue("b")
    await enqueue("a")

    assert (await _next(queue)).job.member_id == "a"


async def test_retry_that_waits_does_not_block_its_member(queue: JobQueue, enqueue: Enqueue) -> None:
    """While one job waits to be retried, the member's other jobs run, and so do everybody else's."""
    await enqueue("a")
    await queue.settle(await _next(queue), Retry(after_seconds=60.0, why="The device was lost."))
    await enqueue("a")
    await enqueue("b")

    assert {(await _next(queue)).job.member_id for _ in range(2)} == {"a", "b"}
    assert await queue.claim("worker-1") is None


@EXAMPLES
@given(plan=st.lists(st.tuples(WHO, st.sampled_from([2.0, 5.0, 9.0])), min_size=1, max_size=10))
async def test_least_used_is_served_first(
    database: Database,
    queue: JobQueue,
    guilds: GuildStore,
    clock: FakeClock,
    plan: list[tuple[tuple[int, str], float]],
) -> None:
    """Whatever waits, each claim takes the guild that used least, of it the member that used least, and its oldest."""
    ids = await _start(database, guilds)
    waiting = [await queue.enqueue(new_job(ids[guild], member, units)) for (guild, member), units in plan]
    used: dict[object, float] = defaultdict(float)

    while waiting:
        job = (await _next(queue)).job
        least = min(used[each.guild_id] for each in waiting)
        peers = [each for each in waiting if each.guild_id == job.guild_id]
        assert used[job.guild_id] == pytest.approx(least, rel=1e-4)
        fewest = min(used[each.guild_id, each.member_id] for each in peers)
        assert used[job.guild_id, job.member_id] == pytest.approx(fewest, rel=1e-4)
        assert job.id == min(each.id for each in peers if each.member_id == job.member_id)

        waiting = [each for each in waiting if each.id != job.id]
        clock.now += 600.0
        for share in (job.guild_id, (job.guild_id, job.member_id)):
            used[share] += job.estimated_seconds
        used = defaultdict(float, {share: use * 2 ** (-600.0 / HALF_LIFE_SECONDS) for share, use in used.items()})


@EXAMPLES
@given(plan=st.lists(WHO, min_size=1, max_size=10), claimed=st.integers(0, 4))
async def test_place_is_honest(
    database: Database, queue: JobQueue, guilds: GuildStore, plan: list[tuple[int, str]], claimed: int
) -> None:
    """Among jobs that cost alike, the predicted place of each is the turn at which it is claimed."""
    ids = await _start(database, guilds)
    waiting = {(await queue.enqueue(new_job(ids[guild], member))).id: ids[guild] for guild, member in plan}
    for _ in range(min(claimed, len(plan))):
        del waiting[(await _next(queue)).job.id]

    places = {job_id: await queue.place(guild_id, job_id) for job_id, guild_id in waiting.items()}

    order = [(await _next(queue)).job.id for _ in waiting]
    assert [place.before for job_id in order if (place := places[job_id])] == list(range(len(order)))


STEPS = st.lists(
    st.tuples(st.sampled_from(["enqueue", "claim", "cancel", "done", "retry", "back", "rescue"]), WHO),
    min_size=5,
    max_size=20,
)


@EXAMPLES
@given(steps=STEPS)
async def test_shares_count_what_is_queued(
    database: Database,
    queue: JobQueue,
    guilds: GuildStore,
    clock: FakeClock,
    steps: list[tuple[str, tuple[int, str]]],
) -> None:
    """After any sequence of events, each share's count and seconds are those of its queued jobs."""
    ids = await _start(database, guilds)
    held: list[Claim] = []
    for step, (number, member) in steps:
        await _take(step, queue, ids[number], member, held, clock)

    async with database.read() as connection:
        rows = (await connection.execute(select(tables.member_shares))).all()
    for row in rows:
        queued = [job for job in await queue.member_jobs(row.guild_id, row.member_id) if job.state == "queued"]
        assert row.waiting == len(queued)
        assert row.waiting_seconds == pytest.approx(sum(job.estimated_seconds for job in queued))


async def _take(step: str, queue: JobQueue, guild_id: int, member: str, held: list[Claim], clock: FakeClock) -> None:
    match step:
        case "enqueue":
            await queue.enqueue(new_job(guild_id, member))
        case "claim":
            if claim := await queue.claim("worker-1"):
                held.append(claim)
        case "cancel":
            for job in await queue.member_jobs(guild_id, member, limit=1):
                await queue.cancel(guild_id, job.id)
        case "rescue":
            clock.now += 30
            await queue.rescue(30)
        case _ if held:
            claim = held.pop()
            match step:
                case "back":
                    await queue.release(claim)
                case "retry":
                    await queue.settle(claim, Retry(after_seconds=10.0, why="Again."))
                case _:
                    await queue.settle(claim, Done(device_seconds=3.0))
