"""The claims: statements that give the next job in an order to one worker, on SQLite and PostgreSQL alike.

The fair claim walks down three indexes and reads one entry of each: of the guilds that wait the one with the lowest
score, of its waiting members the one with the lowest score, of that member's queued jobs the first. How many jobs,
members or guilds wait makes no difference. The quick claim, for jobs that take no slot of a device, reads all that
wait: they are few, since none waits for longer than a step. Suspects, which were on a device when it died, are claimed
apart from all others.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    ScalarSelect,
    Select,
    Table,
    bindparam,
    exists,
    literal_column,
    select,
    update,
)

from storage.queue.jobs import Transition
from storage.tables import guild_shares, jobs, member_shares

# Written into the statement, not bound: a planner uses a partial index only for a condition that it can see.
_QUEUED: Final = jobs.c.state == literal_column("'queued'")
_SUSPECT: Final = jobs.c.together.is_not(None)
_ORDINARY: Final = _QUEUED & jobs.c.together.is_(None)
_NOW: Final[BindParameter[float]] = bindparam("claim_now")


def _waiting(shares: Table) -> ColumnElement[bool]:
    return shares.c.waiting > literal_column("0")


def _fair_order(shares: Table) -> tuple[ColumnElement[Any], ...]:
    """Who comes first; a bonus for what a device holds already belongs here, as a term beside the score."""
    return shares.c.score, shares.c.share_key if shares is member_shares else shares.c.guild_id


# These are compared as values and not with EXISTS, which PostgreSQL may turn into a join over every queued job.
_earliest: Final = (
    select(jobs.c.run_after)
    .where(jobs.c.share_key == member_shares.c.share_key, _ORDINARY)
    .order_by(jobs.c.run_after, jobs.c.id)
    .limit(1)
    .scalar_subquery()
)


def _member_of(guild_id: ColumnElement[int]) -> Select[tuple[str]]:
    """The key of the share of the next member of a guild who has a job that is ready."""
    return (
        select(member_shares.c.share_key)
        .where(member_shares.c.guild_id == guild_id, _waiting(member_shares), _earliest <= _NOW)
        .order_by(*_fair_order(member_shares))
        .limit(1)
    )


_guild: Final = (
    select(guild_shares.c.guild_id)
    .where(_waiting(guild_shares), _member_of(guild_shares.c.guild_id).scalar_subquery().is_not(None))
    .order_by(*_fair_order(guild_shares))
    .limit(1)
)

# The lock on the guild's share makes claims of one guild take turns, so that each sees what the last one was charged;
# claims that find it taken go on to the next guild.
_next_guild: Final = _guild.with_for_update(skip_locked=True).cte("next_guild")

_next_job: Final = (
    select(jobs.c.id)
    .where(
        jobs.c.share_key == _member_of(select(_next_guild.c.guild_id).scalar_subquery()).scalar_subquery(),
        _ORDINARY,
        jobs.c.run_after <= _NOW,
    )
    .order_by(jobs.c.run_after, jobs.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)

_next_of_guild: Final = (
    select(jobs.c.id)
    .where(
        jobs.c.share_key == _member_of(guild_shares.c.guild_id).correlate(guild_shares).scalar_subquery(),
        _ORDINARY,
        jobs.c.run_after <= _NOW,
    )
    .order_by(jobs.c.run_after, jobs.c.id)
    .limit(1)
    .scalar_subquery()
)

_next_of_guilds: Final = (
    select(_next_of_guild.label("job_id"), *_fair_order(guild_shares))
    .where(_waiting(guild_shares))
    .order_by(*_fair_order(guild_shares))
    .limit(bindparam("upcoming_limit"))
    .subquery()
)

UPCOMING: Final = (
    select(jobs)
    .join(_next_of_guilds, jobs.c.id == _next_of_guilds.c.job_id)
    .order_by(*(_next_of_guilds.c[column.name] for column in (guild_shares.c.score, guild_shares.c.guild_id)))
)
"""Of each of the `upcoming_limit` guilds that are next at `claim_now`, in that order, the first job that is ready."""

# Only the job is locked, no share: it is charged so little that two claims of a guild may overlook each other's.
_quick: Final = (
    select(jobs.c.id)
    .join(guild_shares, guild_shares.c.guild_id == jobs.c.guild_id)
    .join(member_shares, member_shares.c.share_key == jobs.c.share_key)
    .where(_ORDINARY, jobs.c.kind == literal_column("'draw map'"), jobs.c.run_after <= _NOW)
    .order_by(guild_shares.c.score, member_shares.c.score, jobs.c.run_after, jobs.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class ClaimOrder:
    """An order of jobs: `any_ready` asks whether one could be claimed at `claim_now`.

    `claim` takes the next one for `claim_worker` and returns its row, or none.
    """

    any_ready: Select[tuple[bool]]
    claim: Any


def _claim(next_job: ScalarSelect[int]) -> Any:
    return (
        update(jobs)
        .where(jobs.c.id == next_job, _QUEUED)
        .values(
            state=Transition.CLAIM.target,
            worker=bindparam("claim_worker"),
            token=jobs.c.token + 1,
            attempt=jobs.c.attempt + 1,
            step=0,
            started_at=_NOW,
            heartbeat_at=_NOW,
        )
        .returning(*jobs.c)
    )


FAIR: Final = ClaimOrder(select(exists(_guild)), _claim(_next_job.scalar_subquery()))
"""Every job but suspects, between guilds and then between members, by what each has used lately."""

QUICK: Final = ClaimOrder(
    select(exists(_quick)), _claim(_quick.with_for_update(skip_locked=True, of=jobs).correlate(None).scalar_subquery())
)
"""Only the jobs that a device does between two steps, in the same order."""


def suspects(beside: int = 0) -> ClaimOrder:
    """Suspects that may share a device with `beside` others; those that must be by themselves come first."""
    next_suspect = (
        select(jobs.c.id)
        .where(_QUEUED, _SUSPECT, jobs.c.together > beside, jobs.c.run_after <= _NOW)
        .order_by(jobs.c.together, jobs.c.run_after, jobs.c.id)
        .limit(1)
    )
    return ClaimOrder(
        select(exists(next_suspect)), _claim(next_suspect.with_for_update(skip_locked=True).scalar_subquery())
    )
