"""The snapshot of an unfinished image is there for the next attempt and for nobody else, on every database."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from storage.database import Database
from storage.guilds.guilds import Guild
from storage.guilds.member_data import MemberData
from storage.queue.claim import suspects
from storage.queue.images import NewImage
from storage.queue.job_queue import Beat, Claim, ClaimStatus, JobQueue
from storage.queue.jobs import Cancelled, Done, GiveUp, Retry
from storage.queue.snapshots import StoredSnapshot
from storage.tables import snapshots
from tests.fakes import FakeClock

FIRST, SECOND = StoredSnapshot(index=0, data=b"step 2"), StoredSnapshot(index=1, data=b"\0 step 4")
NEWER = replace(FIRST, data=b"step 4")
SILENCE = 30.0


async def _beat(queue: JobQueue, claim: Claim, *snapshot: StoredSnapshot) -> ClaimStatus:
    beat = Beat(claim=claim, step=1, steps=4, snapshot=snapshot)
    return (await queue.heartbeat(claim.worker, [beat]))[claim.job.id]


async def _rows(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(snapshots))).scalar_one()


async def _claim(queue: JobQueue) -> Claim:
    claim = await queue.claim("worker-2") or await queue.claim("worker-2", suspects())
    assert claim is not None
    return claim


async def _retry(queue: JobQueue, claim: Claim, _: FakeClock) -> None:
    await queue.settle(claim, Retry(after_seconds=0.0, why="The device was lost."))


async def _release(queue: JobQueue, claim: Claim, _: FakeClock) -> None:
    await queue.release(claim)


async def _rescue(queue: JobQueue, _: Claim, clock: FakeClock) -> None:
    clock.now += SILENCE
    await queue.rescue(SILENCE)


Leave = Callable[[JobQueue, Claim, FakeClock], Awaitable[None]]


async def test_a_fresh_job_has_no_snapshot(queue: JobQueue, claim: Claim) -> None:
    """Its images begin at their first step."""
    assert await queue.snapshot(claim) == ()


@pytest.mark.parametrize("leave", [_retry, _release, _rescue])
async def test_the_next_attempt_finds_the_newest_of_each_image(
    leave: Leave, queue: JobQueue, clock: FakeClock, claim: Claim
) -> None:
    """Whatever ended the one before; a beat without snapshots keeps those that are there."""
    await _beat(queue, claim, FIRST, SECOND)
    await _beat(queue, claim, NEWER)
    await _beat(queue, claim)

    await leave(queue, claim, clock)

    assert await queue.snapshot(await _claim(queue)) == (NEWER, SECOND)


async def test_a_snapshot_is_stored_before_its_job_is_given_back(queue: JobQueue, claim: Claim) -> None:
    """A worker that stops stores what it has without waiting for a beat."""
    await _beat(queue, claim, FIRST)

    assert await queue.suspend(claim, (NEWER,)) is True

    await queue.release(claim)
    assert await queue.snapshot(await _claim(queue)) == (NEWER,)


@pytest.mark.parametrize("leave", [_retry, _release, _rescue])
async def test_a_lost_claim_overwrites_nothing(leave: Leave, queue: JobQueue, clock: FakeClock, claim: Claim) -> None:
    """An old attempt that still sends changes neither the snapshots that wait nor those of the next attempt."""
    await _beat(queue, claim, FIRST)
    await leave(queue, claim, clock)
    assert await queue.suspend(claim, (NEWER,)) is False
    assert await _beat(queue, claim, NEWER) is ClaimStatus.LOST
    second = await _claim(queue)
    await _beat(queue, second, SECOND)

    assert await queue.suspend(claim, (NEWER,)) is False
    assert await _beat(queue, claim, NEWER) is ClaimStatus.LOST
    assert await queue.resume(claim) is False

    assert await queue.snapshot(second) == (FIRST, SECOND)


async def test_a_recorded_image_has_no_snapshot(queue: JobQueue, claim: Claim) -> None:
    """The snapshots of the job's other images stay."""
    await _beat(queue, claim, FIRST, SECOND)

    await queue.record_image(claim, NewImage(index=0, blob="a" * 64, width=8, height=8, seed=1, parameters="fox"))

    assert await queue.snapshot(claim) == (SECOND,)


async def test_damaged_snapshots_can_be_deleted(queue: JobQueue, claim: Claim) -> None:
    """So that the next attempt begins again."""
    await _beat(queue, claim, FIRST, SECOND)

    assert await queue.resume(claim) is True

    assert await queue.snapshot(claim) == ()


@pytest.mark.parametrize("outcome", [Done(device_seconds=1.0), GiveUp(sentence="No."), Cancelled()])
async def test_a_job_that_ends_leaves_no_snapshot(
    outcome: Done | GiveUp | Cancelled, database: Database, queue: JobQueue, claim: Claim
) -> None:
    """However its last attempt ends it."""
    await _beat(queue, claim, FIRST, SECOND)

    await queue.settle(claim, outcome)

    assert await _rows(database) == 0


async def test_a_job_cancelled_between_two_attempts_leaves_no_snapshot(
    database: Database, queue: JobQueue, guild: Guild, claim: Claim
) -> None:
    """Nobody claims it again to clear up."""
    await _beat(queue, claim, FIRST)
    await queue.release(claim)
    assert await _rows(database) == 1

    await queue.cancel(guild.id, claim.job.id)

    assert await _rows(database) == 0


async def test_an_abandoned_job_leaves_no_snapshot(
    database: Database, queue: JobQueue, clock: FakeClock, claim: Claim
) -> None:
    """The last rescue ends the job, and all of it."""
    await _beat(queue, claim, FIRST)
    await _rescue(queue, claim, clock)
    await _rescue(queue, await _claim(queue), clock)
    await _rescue(queue, await _claim(queue), clock)
    await _beat(queue, await _claim(queue), FIRST)

    await _rescue(queue, claim, clock)

    assert await _rows(database) == 0


async def test_snapshots_go_with_a_members_data(
    database: Database, queue: JobQueue, guild: Guild, claim: Claim
) -> None:
    """They are the member's as much as the finished ones."""
    await _beat(queue, claim, FIRST)

    await MemberData(database).delete(guild.id, claim.job.member_id)

    assert await _rows(database) == 0
