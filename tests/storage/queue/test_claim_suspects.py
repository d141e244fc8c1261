"""Jobs that were on a device when it died are claimed apart, in ever smaller groups, on every database."""

from collections.abc import Sequence

from storage.guilds.guilds import Guild
from storage.queue.claim import QUICK, suspects
from storage.queue.job_queue import Beat, Claim, JobQueue
from storage.queue.jobs import Died, JobKind, JobState
from storage.queue.records import MAX_ATTEMPTS
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job

SILENCE = 30.0


async def _claimed(queue: JobQueue, count: int) -> list[Claim]:
    claims = [await queue.claim("worker-1") for _ in range(count)]
    return [claim for claim in claims if claim is not None]


async def _die(queue: JobQueue, claims: Sequence[Claim]) -> None:
    for claim in claims:
        await queue.settle(claim, Died(jobs=len(claims), alone=len(claims) == 1))


async def test_suspects_are_claimed_apart_from_all_others(
    queue: JobQueue, guild: Guild, other_guild: Guild, enqueue: Enqueue
) -> None:
    """The others go past them, and nobody is told to prepare for them."""
    await enqueue()
    await enqueue(kind=JobKind.DRAW_MAP)
    await _die(queue, await _claimed(queue, 2))
    innocent = await queue.enqueue(new_job(other_guild.id, "eve"))

    assert [job.id for job in await queue.upcoming(4)] == [innocent.id]
    assert await queue.claim("worker-1", QUICK) is None
    assert [claim.job.id for claim in await _claimed(queue, 2)] == [innocent.id]
    assert await queue.is_ready(suspects())
    assert len(await queue.claim_suspects("worker-1")) == 1
    assert len(await queue.claim_suspects("worker-1")) == 1
    assert not await queue.is_ready(suspects())


async def test_many_suspects_are_halved_until_few_are_left(queue: JobQueue, enqueue: Enqueue) -> None:
    """Ten, then five at a time, then two, then each by itself."""
    for _ in range(10):
        await enqueue()
    group = await _claimed(queue, 10)
    sizes = [len(group)]
    while len(group) > 1:
        await _die(queue, group)
        group = await queue.claim_suspects("worker-1")
        sizes.append(len(group))

    assert sizes == [10, 5, 2, 1]


async def test_only_a_death_alone_costs_an_attempt(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """However often others died with it; the third one alone is the last, in a sentence."""
    culprit, innocent = await enqueue(), await enqueue()
    await _die(queue, await _claimed(queue, 2))
    for _ in range(2 * MAX_ATTEMPTS):
        both = [*await queue.claim_suspects("worker-1"), *await queue.claim_suspects("worker-1")]
        await _die(queue, both)

    for attempt in range(1, MAX_ATTEMPTS + 1):
        (claim,) = await queue.claim_suspects("worker-1")
        assert (claim.job.id, claim.job.attempt) == (culprit.id, attempt)
        await _die(queue, [claim])

    failed = await queue.get(guild.id, culprit.id)
    assert failed is not None
    assert (failed.state, failed.attempt) == (JobState.FAILED, MAX_ATTEMPTS)
    assert failed.error == (
        "This made the device stop; it was tried 3 times. Change its options, or ask an admin to look at the log."
    )
    (claim,) = await queue.claim_suspects("worker-1")
    assert (claim.job.id, claim.job.attempt) == (innocent.id, 1)


async def test_a_workers_end_costs_nobody_an_attempt_who_gets_further(
    queue: JobQueue, clock: FakeClock, claim: Claim
) -> None:
    """Though it ends more often than there are attempts."""
    for step in range(1, 3 * MAX_ATTEMPTS):
        await queue.heartbeat("worker-1", [Beat(claim=claim, step=step, steps=50)])
        clock.advance(SILENCE)
        assert await queue.rescue(SILENCE) == [claim.job.id]
        (claim,) = await queue.claim_suspects("worker-1")
        assert claim.job.attempt == 1


async def test_the_jobs_of_a_worker_that_died_are_suspects(queue: JobQueue, clock: FakeClock, enqueue: Enqueue) -> None:
    """Nobody can say which of them it was; those of a worker that lives are none."""
    for _ in range(7):
        await enqueue()
    await _claimed(queue, 6)
    living = await queue.claim("worker-2")
    clock.advance(SILENCE)
    assert living is not None
    await queue.heartbeat("worker-2", [Beat(claim=living, step=1, steps=2)])

    await queue.rescue(SILENCE)

    assert len(await queue.claim_suspects("worker-1")) == 3
