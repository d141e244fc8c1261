"""Every transition of the state machine, on every database."""

from typing import assert_never

import pytest

from storage.guilds.guilds import Guild
from storage.queue.claim import suspects
from storage.queue.job_queue import CancelResult, Claim, JobQueue
from storage.queue.jobs import Cancelled, Died, Done, GiveUp, JobState, Outcome, Retry, Transition
from storage.queue.records import MAX_ATTEMPTS
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue

SILENCE = 30.0

OUTCOMES: dict[Transition, Outcome] = {
    Transition.DONE: Done(device_seconds=2.0),
    Transition.GIVE_UP: GiveUp(sentence="The model is gone."),
    Transition.RETRY: Retry(after_seconds=0.0, why="The device was lost."),
    Transition.CANCEL: Cancelled(),
    Transition.ISOLATE: Died(jobs=2, alone=False),
}


async def _walk(transition: Transition, queue: JobQueue, guild: Guild, clock: FakeClock) -> None:
    """Takes the guild's only job, which is queued, through `transition`."""
    job = (await queue.guild_jobs(guild.id))[0]
    match transition:
        case Transition.CLAIM:
            await _claim(queue)
        case Transition.CANCEL_WAITING:
            await queue.cancel(guild.id, job.id)
        case Transition.DONE | Transition.GIVE_UP | Transition.RETRY | Transition.CANCEL | Transition.ISOLATE:
            await queue.settle(await _claim(queue), OUTCOMES[transition])
        case Transition.EXHAUST:
            for _ in range(MAX_ATTEMPTS):
                await queue.settle(await _claim(queue), OUTCOMES[Transition.RETRY])
        case Transition.SOFT_STOP:
            await queue.release(await _claim(queue))
        case Transition.RESCUE:
            await _claim(queue)
            clock.now += SILENCE
            await queue.rescue(SILENCE)
        case Transition.ABANDON:
            for _ in range(1 + MAX_ATTEMPTS):
                await _claim(queue)
                clock.now += SILENCE
                await queue.rescue(SILENCE)
        case _ as never:
            assert_never(never)


async def _claim(queue: JobQueue) -> Claim:
    held = await queue.claim("worker-1") or await queue.claim("worker-1", suspects())
    assert held is not None
    assert held.job.state is JobState.RUNNING
    return held


@pytest.mark.parametrize("transition", Transition, ids=lambda transition: transition.name)
async def test_transition_ends_where_it_points(
    transition: Transition, queue: JobQueue, guild: Guild, clock: FakeClock, enqueue: Enqueue
) -> None:
    """Each transition leads from a queued or running job to the state that it names."""
    job = await enqueue()

    await _walk(transition, queue, guild, clock)

    after = await queue.get(guild.id, job.id)
    assert after is not None
    assert after.state is transition.target


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=lambda outcome: type(outcome).__name__)
async def test_lost_claim_settles_nothing(
    outcome: Outcome, queue: JobQueue, guild: Guild, clock: FakeClock, claim: Claim
) -> None:
    """A worker whose job was rescued can end it in no way, while the next holder can."""
    clock.now += SILENCE
    assert await queue.rescue(SILENCE) == [claim.job.id]
    second = await _claim(queue)

    assert await queue.settle(claim, outcome) is False
    assert await queue.release(claim) is False
    held = await queue.get(guild.id, claim.job.id)
    assert held is not None
    assert held.state is JobState.RUNNING
    assert await queue.settle(second, Done(device_seconds=1.0)) is True


async def test_released_claim_is_lost_though_its_attempt_number_comes_again(queue: JobQueue, claim: Claim) -> None:
    """A hold from before a soft stop settles nothing, although the next hold has the same worker and attempt."""
    assert await queue.release(claim) is True
    again = await queue.claim(claim.worker)
    assert again is not None
    assert (again.worker, again.job.attempt) == (claim.worker, claim.job.attempt)

    assert await queue.settle(claim, Done(device_seconds=1.0)) is False
    assert await queue.settle(again, Done(device_seconds=1.0)) is True


async def test_job_settles_once(queue: JobQueue, claim: Claim) -> None:
    """The second of two outcomes for one claim changes nothing."""
    assert await queue.settle(claim, Done(device_seconds=1.0)) is True
    assert await queue.settle(claim, GiveUp(sentence="No.")) is False


async def test_retry_waits_for_its_time(queue: JobQueue, clock: FakeClock, claim: Claim) -> None:
    """A retried job cannot be claimed before its time, and can at that time."""
    await queue.settle(claim, Retry(after_seconds=60.0, why="The device was lost."))

    clock.now += 59.0
    assert await queue.claim("worker-1") is None
    clock.now += 1.0
    second = await queue.claim("worker-1")
    assert second is not None
    assert (second.job.id, second.job.attempt, second.job.error) == (claim.job.id, 2, "The device was lost.")


async def test_last_retry_fails_with_the_sentence(
    queue: JobQueue, guild: Guild, clock: FakeClock, enqueue: Enqueue
) -> None:
    """When the attempts are used up, the member reads why the last one failed."""
    job = await enqueue()

    await _walk(Transition.EXHAUST, queue, guild, clock)

    failed = await queue.get(guild.id, job.id)
    assert failed is not None
    assert (failed.state, failed.attempt, failed.error) == (JobState.FAILED, MAX_ATTEMPTS, "The device was lost.")


async def test_soft_stop_costs_no_attempt_and_no_turn(
    queue: JobQueue, enqueue: Enqueue, claim: Claim, clock: FakeClock
) -> None:
    """A job that was handed back is the next to be claimed again, with its attempts as before."""
    clock.now += 1.0
    await enqueue()

    await queue.release(claim)
    again = await queue.claim("worker-2")

    assert again is not None
    assert (again.job.id, again.job.attempt, again.job.restarts) == (claim.job.id, 1, 1)


async def test_rescue_leaves_the_living_alone(queue: JobQueue, clock: FakeClock, claim: Claim) -> None:
    """A job whose worker was heard within the limit is not rescued; one that was not is, once."""
    clock.now += SILENCE - 1
    assert await queue.rescue(SILENCE) == []
    clock.now += 1
    assert await queue.rescue(SILENCE) == [claim.job.id]
    assert await queue.rescue(SILENCE) == []


async def test_abandoned_job_tells_the_member(
    queue: JobQueue, guild: Guild, clock: FakeClock, enqueue: Enqueue
) -> None:
    """A job that killed its worker whenever it was by itself fails with a sentence that says how often it was tried."""
    job = await enqueue()

    await _walk(Transition.ABANDON, queue, guild, clock)

    failed = await queue.get(guild.id, job.id)
    assert failed is not None
    assert failed.error is not None
    assert f"{MAX_ATTEMPTS} times" in failed.error


async def test_cancel_of_a_queued_job_is_final(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """A queued job is cancelled at once, is never claimed, and a second cancel comes too late."""
    job = await enqueue()

    assert await queue.cancel(guild.id, job.id) is CancelResult.CANCELLED
    assert await queue.claim("worker-1") is None
    assert await queue.cancel(guild.id, job.id) is CancelResult.TOO_LATE


@pytest.mark.parametrize("leave", ["retry", "release", "death", "rescue"])
async def test_job_that_was_asked_to_stop_does_not_run_again(
    leave: str, queue: JobQueue, guild: Guild, clock: FakeClock, claim: Claim
) -> None:
    """A cancel that its worker never heard still ends the job, however the worker let go of it."""
    assert await queue.cancel(guild.id, claim.job.id) is CancelResult.STOPPING

    match leave:
        case "retry":
            await queue.settle(claim, Retry(after_seconds=0.0, why="The device was lost."))
        case "release":
            await queue.release(claim)
        case "death":
            await queue.settle(claim, Died(jobs=1, alone=True))
        case _:
            clock.now += SILENCE
            await queue.rescue(SILENCE)

    after = await queue.get(guild.id, claim.job.id)
    assert after is not None
    assert after.state is JobState.CANCELLED
