"""The claim: one statement that gives the next job in fair order to one worker, on SQLite and PostgreSQL alike.

It walks down three indexes and reads one entry of each: the guild with the lowest score of those that wait, of its
waiting members the one with the lowest score, of that member's queued jobs the first. How many jobs, members or guilds
wait makes no difference.
"""

from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    bindparam,
    exists,
    literal_column,
    select,
    update,
)

from storage.jobs import Arrow
from storage.tables import guild_lanes, jobs, member_lanes

# Written into the statement, not bound: a planner uses a partial index only for a condition that it can see.
_QUEUED: Final = jobs.c.state == literal_column("'queued'")
_NOW: Final[BindParameter[float]] = bindparam("claim_now")


def _waiting(lane: Table) -> ColumnElement[bool]:
    return lane.c.waiting > literal_column("0")


def _fair_order(lane: Table) -> tuple[ColumnElement[Any], ...]:
    """Who comes first; a bonus for what a device holds already belongs here, as a term beside the score."""
    return lane.c.score, lane.c.lane if lane is member_lanes else lane.c.guild_id


# These are compared as values and not with EXISTS, which PostgreSQL may turn into a join over every queued job.
_earliest: Final = (
    select(jobs.c.run_after)
    .where(jobs.c.lane == member_lanes.c.lane, _QUEUED)
    .order_by(jobs.c.run_after, jobs.c.id)
    .limit(1)
    .scalar_subquery()
)


def _member_of(guild_id: ColumnElement[int]) -> Select[tuple[str]]:
    """The lane of the next member of a guild who has a job that is ready."""
    return (
        select(member_lanes.c.lane)
        .where(member_lanes.c.guild_id == guild_id, _waiting(member_lanes), _earliest <= _NOW)
        .order_by(*_fair_order(member_lanes))
        .limit(1)
    )


_guild: Final = (
    select(guild_lanes.c.guild_id)
    .where(_waiting(guild_lanes), _member_of(guild_lanes.c.guild_id).scalar_subquery().is_not(None))
    .order_by(*_fair_order(guild_lanes))
    .limit(1)
)

# The lane's lock makes claims of one guild take turns, each seeing what the one before it was charged; claims that
# find it taken go on to the next guild.
_next_guild: Final = _guild.with_for_update(skip_locked=True).cte("next_guild")

_next_job: Final = (
    select(jobs.c.id)
    .where(
        jobs.c.lane == _member_of(select(_next_guild.c.guild_id).scalar_subquery()).scalar_subquery(),
        _QUEUED,
        jobs.c.run_after <= _NOW,
    )
    .order_by(jobs.c.run_after, jobs.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)

_next_of_guild: Final = (
    select(jobs.c.id)
    .where(
        jobs.c.lane == _member_of(guild_lanes.c.guild_id).correlate(guild_lanes).scalar_subquery(),
        _QUEUED,
        jobs.c.run_after <= _NOW,
    )
    .order_by(jobs.c.run_after, jobs.c.id)
    .limit(1)
    .scalar_subquery()
)

_next_of_guilds: Final = (
    select(_next_of_guild.label("job_id"), *_fair_order(guild_lanes))
    .where(_waiting(guild_lanes))
    .order_by(*_fair_order(guild_lanes))
    .limit(bindparam("upcoming_limit"))
    .subquery()
)

UPCOMING: Final = (
    select(jobs)
    .join(_next_of_guilds, jobs.c.id == _next_of_guilds.c.job_id)
    .order_by(*(_next_of_guilds.c[column.name] for column in (guild_lanes.c.score, guild_lanes.c.guild_id)))
)
"""The first job that is ready of each of the `upcoming_limit` guilds that are next at `claim_now`, in that order."""

ANY_READY: Final = select(exists(_guild))
"""Whether a job could be claimed at `claim_now`."""

CLAIM: Final = (
    update(jobs)
    .where(jobs.c.id == _next_job.scalar_subquery(), _QUEUED)
    .values(
        state=Arrow.CLAIM.target,
        worker=bindparam("claim_worker"),
        token=jobs.c.token + 1,
        attempt=jobs.c.attempt + 1,
        step=0,
        started_at=_NOW,
        heartbeat_at=_NOW,
    )
    .returning(*jobs.c)
)
"""Takes the next job at `claim_now` for `claim_worker` and returns its row, or none."""
