"""Moves a job from state to state, and changes with it all that depends on its state: shares, snapshots, its reply."""

from typing import Any, Final, assert_never

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.queue.fair_share import update_shares
from storage.queue.jobs import OPEN_STATES, Cancelled, Died, Done, GiveUp, JobState, Outcome, Retry, Transition
from storage.queue.snapshots import delete_snapshots
from storage.tables import jobs, replies

_KILLER: Final = (
    "This made the device stop; it was tried {attempts} times. Change its options, or ask an admin to look at the log."
)
_FEW: Final = 4
"""So many suspects run one by one; of more, half at a time, until few are left."""


async def held_job(connection: AsyncConnection, job_id: int, token: int) -> Row[Any] | None:
    """The running job that the claim of `token` holds, locked, or None when the claim is lost."""
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING, jobs.c.token == token)
    return (await connection.execute(query.with_for_update())).one_or_none()


async def end_attempt(connection: AsyncConnection, job: Row[Any], outcome: Outcome, now: float) -> None:
    """Applies the transition of a held `job` that `outcome` asks for."""
    match outcome:
        case Done(device_seconds=seconds):
            await apply_transition(
                connection, job, Transition.DONE, now, used=seconds, device_seconds=seconds, error=None
            )
        case GiveUp(sentence=sentence):
            await apply_transition(connection, job, Transition.GIVE_UP, now, error=sentence)
        case Cancelled():
            await apply_transition(connection, job, Transition.CANCEL, now)
        case Retry() | Died() if job.cancel_requested:
            await apply_transition(connection, job, Transition.CANCEL, now)
        case Retry(why=why) if job.attempt >= job.max_attempts:
            await apply_transition(connection, job, Transition.EXHAUST, now, error=why)
        case Retry(after_seconds=seconds, why=why):
            await apply_transition(connection, job, Transition.RETRY, now, error=why, run_after=now + seconds)
        case Died(alone=False, jobs=count):
            await apply_transition(connection, job, Transition.ISOLATE, now, **_as_suspect(job, count))
        case Died() if job.attempt >= job.max_attempts:
            await apply_transition(connection, job, Transition.EXHAUST, now, error=_killer(job))
        case Died():
            await apply_transition(connection, job, Transition.RETRY, now, error=_killer(job), together=1)
        case _ as never:
            assert_never(never)


async def rescue_job(connection: AsyncConnection, job: Row[Any], now: float, count: int) -> None:
    """Takes a locked `job` from a worker that fell silent with `count` jobs.

    That may be the worker's own end, or the job's doing. So an attempt counts only for a job that ran by itself as a
    suspect, and then only where it has got no further than before.
    """
    before = -1 if job.reached is None else job.reached
    if job.cancel_requested:
        await apply_transition(connection, job, Transition.CANCEL, now)
    elif job.together != 1 or job.step > before:
        values = _as_suspect(job, count) | {"reached": max(job.step, before)}
        await apply_transition(connection, job, Transition.RESCUE, now, **values)
    elif job.attempt >= job.max_attempts:
        await apply_transition(connection, job, Transition.ABANDON, now, error=_killer(job))
    else:
        await apply_transition(connection, job, Transition.RESCUE, now, restarts=job.restarts + 1)


def _as_suspect(job: Row[Any], count: int) -> dict[str, int]:
    """What changes in a `job` that died with `count` in all, and goes back without counting this attempt."""
    group = min(count, job.together or count)
    together = 1 if group <= _FEW else group // 2
    return {"attempt": job.attempt - 1, "restarts": job.restarts + 1, "together": together}


def _killer(job: Row[Any]) -> str:
    return _KILLER.format(attempts=job.attempt)


async def hand_back(connection: AsyncConnection, job: Row[Any], now: float) -> None:
    """Puts a held `job` back without counting this attempt; it keeps its place in the queue."""
    if job.cancel_requested:
        await apply_transition(connection, job, Transition.CANCEL, now)
    else:
        await apply_transition(
            connection, job, Transition.SOFT_STOP, now, attempt=job.attempt - 1, restarts=job.restarts + 1
        )


async def apply_transition(
    connection: AsyncConnection,
    job: Row[Any],
    transition: Transition,
    now: float,
    *,
    used: float | None = None,
    **values: object,
) -> None:
    """Moves a locked `job` through `transition` and sets `values` with it.

    `used` is what the attempt cost in device seconds; by default its time so far, at most what was predicted.
    """
    ends = transition.target not in OPEN_STATES
    if ends:
        values["finished_at"] = now
    if transition.source is JobState.RUNNING:
        values |= {"worker": None, "heartbeat_at": None, "preview": None}
    moved = await connection.execute(
        update(jobs)
        .where(jobs.c.id == job.id, jobs.c.state == transition.source, jobs.c.token == job.token)
        .values(state=transition.target, **values)
        .returning(jobs.c.id)
    )
    moved.one()
    if transition.source is JobState.QUEUED:
        await update_shares(connection, job, waiting=-1)
    else:
        # The claim charged the estimate, so that parallel workers serve different guilds; the real use replaces it.
        spent = min(job.estimated_seconds, max(0.0, now - job.started_at)) if used is None else used
        waiting = 1 if transition.target is JobState.QUEUED else 0
        await update_shares(connection, job, waiting=waiting, used=spent - job.estimated_seconds, at=job.started_at)
    if ends:
        await delete_snapshots(connection, job.id)
        await connection.execute(update(replies).where(replies.c.job_id == job.id).values(due_at=now))
