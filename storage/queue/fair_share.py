"""Fair shares: what each guild and each member has waiting, and the device seconds that it has used lately.

Use is forgotten by half every HALF_LIFE_SECONDS. A lane keeps it as a score, the base-2 logarithm of its use counted in
seconds of the epoch: since decay shifts every score alike, scores compare at any time without being touched.
"""

from dataclasses import dataclass
from math import ceil, copysign, floor, log2
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, func, literal, literal_column, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import guild_lanes, jobs, member_lanes

HALF_LIFE_SECONDS: Final = 3600.0
UNUSED: Final = -1.0e9
"""The score of a lane that has used nothing: below any that a use can leave."""

# Lanes that used the same are to compare as equal, whatever order the sums were made in.
_SCORE_DIGITS: Final = 6
_SCORE_ERROR: Final = 10.0**-_SCORE_DIGITS
_TURN_DIGITS: Final = 4


def charged(score: float, seconds: float, at: float) -> float:
    """`score` after a use of `seconds` at Unix second `at`; negative seconds give a use of that time back."""
    if seconds == 0:
        return score
    change = log2(abs(seconds)) + at / HALF_LIFE_SECONDS
    if seconds < 0 and change >= score - _SCORE_ERROR:
        return UNUSED
    high, low = max(score, change), min(score, change)
    return round(high + log2(1 + copysign(2.0 ** (low - high), seconds)), _SCORE_DIGITS)


def used_seconds(score: float, at: float) -> float:
    """What is left at Unix second `at` of the use behind `score`."""
    return float(2.0 ** (score - at / HALF_LIFE_SECONDS))


def lane_of(guild_id: int, member_id: str) -> str:
    """The name of a member's lane."""
    return f"{guild_id}/{member_id}"


async def add_waiting(database: Database, connection: AsyncConnection, job: Any) -> None:
    """Counts a new job in its lanes, which are made where they are missing."""
    for lane in (guild_lanes, member_lanes):
        row = {"guild_id": job.guild_id, "waiting": 1, "waiting_seconds": job.estimated_seconds, "score": UNUSED}
        if lane is member_lanes:
            row |= {"lane": job.lane, "member_id": job.member_id}
        grown = {
            "waiting": lane.c.waiting + 1,
            "waiting_seconds": lane.c.waiting_seconds + job.estimated_seconds,
        }
        statement = database.insert(lane).values(row)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=lane.primary_key.columns.keys(), set_=grown)
        )


async def update_lanes(
    connection: AsyncConnection, job: Any, *, waiting: int = 0, used: float = 0.0, at: float = 0.0
) -> None:
    """Counts `waiting` jobs like `job` more or less, and `used` device seconds more or less at Unix second `at`."""
    # Always the guild's lane first: whoever needs both locks takes them in one order.
    for lane in (guild_lanes, member_lanes):
        where = _of(lane, job)
        row = (await connection.execute(select(lane).where(where).with_for_update())).one()
        left = row.waiting + waiting
        values = {
            "waiting": left,
            # An empty lane says nought exactly, so that rounding never adds up.
            "waiting_seconds": row.waiting_seconds + waiting * job.estimated_seconds if left else 0.0,
            "score": charged(row.score, used, at),
        }
        await connection.execute(update(lane).where(where).values(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane with waiting jobs, `use` being its device seconds now; `key` decides between lanes of equal use."""

    key: int | str
    use: float
    waiting: int
    waiting_seconds: float

    def served_before(self, level: float, key: int | str) -> int:
        """How many of its jobs start before a lane called `key` whose use has reached `level`."""
        turns = round((level - self.use) / (self.waiting_seconds / self.waiting or 1.0), _TURN_DIGITS)
        count = floor(turns) + 1 if str(self.key) < str(key) else ceil(turns)
        return max(0, min(self.waiting, count))


async def ahead_of(connection: AsyncConnection, job: Any, now: float) -> tuple[int, float]:
    """How many jobs the fair order puts before a queued `job`, and the device seconds predicted for them."""
    own_jobs, own_seconds = await _ahead_in_lane(connection, job)
    members = await _waiting_lanes(connection, member_lanes, now, member_lanes.c.guild_id == job.guild_id)
    count, seconds = _ahead_of_lane(members, job.lane, own_jobs, own_seconds)
    return _ahead_of_lane(await _waiting_lanes(connection, guild_lanes, now), job.guild_id, count, seconds)


def _ahead_of_lane(lanes: dict[int | str, Lane], key: int | str, count: int, seconds: float) -> tuple[int, float]:
    # By the time that the job is next in its lane, the lane has used what stands before it there too.
    level = lanes[key].use + seconds
    for other in lanes.values():
        if other.key != key:
            served = other.served_before(level, key)
            count += served
            seconds += served * other.waiting_seconds / other.waiting
    return count, seconds


async def _ahead_in_lane(connection: AsyncConnection, job: Any) -> tuple[int, float]:
    query = select(func.count(), func.coalesce(func.sum(jobs.c.estimated_seconds), 0.0)).where(
        jobs.c.lane == job.lane,
        jobs.c.state == literal_column("'queued'"),
        tuple_(jobs.c.run_after, jobs.c.id) < (job.run_after, job.id),
    )
    count, seconds = (await connection.execute(query)).one()
    return count, seconds


async def _waiting_lanes(
    connection: AsyncConnection, lane: Table, now: float, *where: ColumnElement[bool]
) -> dict[int | str, Lane]:
    rows = await connection.execute(select(lane).where(lane.c.waiting > 0, *where))
    lanes = (
        Lane(
            key=row.lane if lane is member_lanes else row.guild_id,
            use=used_seconds(row.score, now),
            waiting=row.waiting,
            waiting_seconds=row.waiting_seconds,
        )
        for row in rows
    )
    return {each.key: each for each in lanes}


def _of(lane: Table, job: Any) -> ColumnElement[bool]:
    key, value = (lane.c.lane, job.lane) if lane is member_lanes else (lane.c.guild_id, job.guild_id)
    return key == literal(value)
