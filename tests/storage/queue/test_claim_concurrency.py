"""Many claimers at once: every job once, none forgotten, on every database."""

import asyncio
import json
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.guilds.guilds import Guild, GuildStore
from storage.guilds.member_data import MemberData
from storage.platform import Platform
from storage.queue.estimates import QueuePosition, position_of
from storage.queue.job_queue import CancelResult, JobQueue
from storage.queue.jobs import Done, JobState
from storage.queue.outbox import Outbox
from storage.queue.pending_calls import SavedCalls
from storage.tables import guild_shares, replies, saved_calls
from storage.tables import jobs as jobs_table
from tests.eventually import eventually
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job


async def _drain(queue: JobQueue, worker: str) -> list[int]:
    done = []
    while claim := await queue.claim(worker):
        done.append(claim.job.id)
        assert await queue.settle(claim, Done(device_seconds=1.0)) is True
    return done


async def test_parallel_claimers_take_each_job_once(queue: JobQueue, guild: Guild, other_guild: Guild) -> None:
    """Six workers empty a queue of two guilds together: no job twice, none left."""
    asked = [
        (await queue.enqueue(new_job(owner.id, member))).id
        for owner in (guild, other_guild)
        for member in "abc"
        for _ in range(4)
    ]

    done = await asyncio.gather(*(_drain(queue, f"worker-{number}") for number in range(6)))

    assert sorted(job_id for ids in done for job_id in ids) == asked


async def test_last_job_goes_to_one_of_many(queue: JobQueue, enqueue: Enqueue) -> None:
    """When eight workers reach for one job, one gets it and seven get nothing."""
    await enqueue()

    claims = await asyncio.gather(*(queue.claim(f"worker-{number}") for number in range(8)))

    assert len([claim for claim in claims if claim]) == 1


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_locked_job_does_not_hide_the_others(database: Database, queue: JobQueue, enqueue: Enqueue) -> None:
    """While another transaction holds a member's first job, a worker is given that member's second."""
    first, second = await enqueue(), await enqueue()

    async with database.write() as connection:
        await connection.execute(select(jobs_table).where(jobs_table.c.id == first.id).with_for_update())
        claim = await queue.claim("worker-1")

    assert claim is not None
    assert claim.job.id == second.id


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_locked_guild_does_not_hide_the_others(
    database: Database, queue: JobQueue, guild: Guild, other_guild: Guild
) -> None:
    """While another transaction has a guild's share locked, a worker is given the next guild's job at once."""
    await queue.enqueue(new_job(guild.id))
    second = await queue.enqueue(new_job(other_guild.id))

    async with database.write() as connection:
        held = guild_shares.c.guild_id == guild.id
        await connection.execute(select(guild_shares).where(held).with_for_update())
        claim = await queue.claim("worker-1")

    assert claim is not None
    assert claim.job.id == second.id


async def test_claim_and_cancel_race_has_one_winner(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """A job that is claimed and cancelled at the same moment ends cancelled, or runs and is asked to stop."""
    for _ in range(5):
        job = await enqueue()

        claim, result = await asyncio.gather(queue.claim("worker-1"), queue.cancel(guild.id, job.id))

        after = await queue.get(guild.id, job.id)
        assert after is not None
        if claim is None:
            assert (result, after.state) == (CancelResult.CANCELLED, JobState.CANCELLED)
        else:
            assert (result, after.cancel_requested) == (CancelResult.STOPPING, True)
            await queue.settle(claim, Done(device_seconds=1.0))


async def test_parallel_posters_take_each_reply_once(
    queue: JobQueue, outbox: Outbox, guild: Guild, enqueue: Enqueue
) -> None:
    """Two chat processes that look at once share the finished jobs between them."""
    asked = [(await enqueue()).id for _ in range(6)]
    for job_id in asked:
        await queue.cancel(guild.id, job_id)
    platform = new_job(guild.id).reply.platform

    taken = await asyncio.gather(*(outbox.due(platform, f"chat-{number}", limit=3) for number in range(2)))
    rest = await outbox.due(platform, "chat-2", limit=6)

    assert sorted(reply.job.id for replies in (*taken, rest) for reply in replies) == asked


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "jobs"), [(2, 24), pytest.param(6, 1800, marks=pytest.mark.soak)])
async def test_processes_take_each_job_once(
    database_url: str, queue: JobQueue, guild: Guild, clock: FakeClock, enqueue: Enqueue, workers: int, jobs: int
) -> None:
    """Processes of their own empty one queue without an error: no job twice, none left."""
    assert clock.now < 1_700_000_000  # the processes' own clock is ahead, so that every job is ready for them
    asked = [(await enqueue("abc"[number % 3])).id for number in range(jobs)]

    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.storage.queue.claiming_process", database_url, f"worker-{number}",
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(workers)
    ]  # fmt: skip
    outputs = [(await process.communicate())[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * workers
    assert sorted(int(line) for output in outputs for line in output.split()) == asked
    assert {job.state for job in await queue.guild_jobs(guild.id, limit=jobs)} == {JobState.DONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What `busy_process` says that it did."""

    asked: list[int]
    posted: list[int]
    first: list[str]
    deleted: int
    changes: int


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("times", [60, pytest.param(2000, marks=pytest.mark.soak)])
async def test_processes_do_all_at_once(
    database_url: str, database: Database, guilds: GuildStore, guild: Guild, other_guild: Guild,
    processes: int, times: int,
) -> None:  # fmt: skip
    """Members, workers, posters and admins in several processes meet no error, lose nothing and do nothing twice."""
    places = json.dumps([guild.id, other_guild.id])
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.storage.queue.busy_process", database_url, f"process {number}", places,
            str(times), stdout=asyncio.subprocess.PIPE,
        )
        for number in range(processes)
    ]  # fmt: skip
    outputs = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0] * processes
    actions = [Actions(**json.loads(output)) for output, _ in outputs]

    posted = [job_id for each in actions for job_id in each.posted] + await _finish_all(database_url)
    first = [key for each in actions for key in each.first]
    async with database.read() as connection:
        rows = await connection.execute(select(jobs_table.c.id, jobs_table.c.state))
        left = {row.id: row.state for row in rows}
        waiting = (await connection.scalars(select(guild_shares.c.waiting))).all()
    settings = await guilds.get(guild.id)

    assert set(left.values()) <= {JobState.DONE, JobState.FAILED, JobState.CANCELLED}
    assert len(left) == sum(len(each.asked) for each in actions) - sum(each.deleted for each in actions)
    assert len(posted) == len(set(posted))
    assert left.keys() <= set(posted)
    assert len(first) == len(set(first))
    assert set(waiting) <= {0}
    assert settings is not None
    assert len(settings.settings.allowed_channels) == sum(each.changes for each in actions)


async def _finish_all(url: str) -> list[int]:
    """Do what is left, and post it; returns the jobs that were posted."""
    database = await Database.open(url)
    queue, outbox = JobQueue(database), Outbox(database, lease_seconds=0)
    await _drain(queue, "the last")
    posted = []
    # Nobody is left who could mark what was leased by a process that ended.
    async with database.write() as connection:
        await connection.execute(update(replies).where(replies.c.due_at.is_not(None)).values(due_at=0.0))
    while due := await outbox.due(Platform.DISCORD, "the last"):
        posted += [reply.job.id for reply in due if await outbox.mark_posted(reply, "m1")]
    await database.close()
    return posted


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_member_who_deletes_all_keeps_the_share_of_what_runs(
    database: Database, queue: JobQueue, guild: Guild, enqueue: Enqueue
) -> None:
    """A job that is claimed between two statements of the deletion can still be ended."""
    job = await enqueue()
    call = await SavedCalls(database).save(guild.id, "ann", "imagine", {})

    async with database.write() as connection:
        await connection.execute(select(saved_calls).where(saved_calls.c.id == call).with_for_update())
        deleting = asyncio.create_task(MemberData(database).delete(guild.id, "ann"))
        await eventually(partial(_someone_waits, database))
        claim = await queue.claim("worker-1")
    await deleting

    assert claim is not None
    assert claim.job.id == job.id
    assert await queue.settle(claim, Done(device_seconds=1.0)) is True


async def _someone_waits(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with database.read() as connection:
        return bool(await connection.scalar(text(query)))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_place_is_of_one_moment(
    database: Database, queue: JobQueue, guild: Guild, enqueue: Enqueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is claimed while its place is looked up had a place when that began."""
    job = await enqueue()

    async def claimed_meanwhile(connection: AsyncConnection, asked: Any, now: float) -> QueuePosition:
        assert await queue.claim("worker-1") is not None
        return await position_of(connection, asked, now)

    monkeypatch.setattr("storage.queue.job_queue.position_of", claimed_meanwhile)

    assert await queue.place(guild.id, job.id) == QueuePosition(before=0, seconds=0.0)
