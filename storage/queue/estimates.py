"""Predictions from what was measured: the device seconds that work takes, and when a queued job starts."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.queue.fair_share import ahead_of
from storage.queue.jobs import JobState
from storage.tables import jobs

# Until a job like it or the device was measured: a guess on the slow side, since an early image pleases more than a
# late one.
_DEFAULT_SECONDS_PER_UNIT: Final = 1.0
_MEASURED_JOBS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """A queued job's place: jobs that will start `before` it, and the predicted `seconds` until it starts."""

    before: int
    seconds: float


async def estimate(connection: AsyncConnection, cost_key: str, units: float, seconds_per_unit: float | None) -> float:
    """Predicted device seconds for `units` of work, from the last jobs of that `cost_key` that were done.

    Until there is one it is `seconds_per_unit` that counts, or a guess.
    """
    like_it = jobs.c.cost_key == cost_key, jobs.c.state == literal_column("'done'")
    last = (
        select(jobs.c.device_seconds, jobs.c.cost_units)
        .where(*like_it)
        .order_by(jobs.c.finished_at.desc())
        .limit(_MEASURED_JOBS)
        .subquery()
    )
    seconds, measured = (
        await connection.execute(select(func.sum(last.c.device_seconds), func.sum(last.c.cost_units)))
    ).one()
    if measured:
        return float(units * seconds / measured)
    return units * (_DEFAULT_SECONDS_PER_UNIT if seconds_per_unit is None else seconds_per_unit)


async def position_of(connection: AsyncConnection, job: Row[Any], now: float) -> QueuePosition:
    """Where a queued `job` stands in the fair order at second `now`."""
    before, seconds = await ahead_of(connection, job, now)
    running = (await connection.execute(_RUNNING)).all()
    # As many jobs as run now are taken to run side by side until then.
    seconds += sum(max(0.0, row.started_at + row.estimated_seconds - now) for row in running)
    return QueuePosition(before=before, seconds=max(job.run_after - now, seconds / max(1, len(running))))


_RUNNING: Final = select(jobs.c.started_at, jobs.c.estimated_seconds).where(jobs.c.state == JobState.RUNNING)
