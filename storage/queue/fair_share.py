"""Fair shares: what each guild and each member has waiting, and the device seconds that it has used lately.

Use halves every HALF_LIFE_SECONDS. A share keeps it as a score, the base-2 logarithm of its use counted in seconds of
the epoch: since decay shifts every score alike, scores can be compared at any time without an update.
"""

from dataclasses import dataclass
from math import ceil, copysign, floor, log2
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, func, literal, literal_column, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import guild_shares, jobs, member_shares

HALF_LIFE_SECONDS: Final = 3600.0
UNUSED: Final = -1.0e9
"""The score of a share that has used nothing: below any that a use can leave."""

# Shares that used the same must compare as equal, in whatever order their sums were made.
_SCORE_DIGITS: Final = 6
_SCORE_ERROR: Final = 10.0**-_SCORE_DIGITS
_TURN_DIGITS: Final = 4
# A use that lies far ahead, since a server's clock was set back, is more than any other, but still a number.
_MOST_USED: Final = 500.0


def charged(score: float, seconds: float, at: float) -> float:
    """`score` after a use of `seconds` at second `at`; negative seconds take back a use of that time."""
    if seconds == 0:
        return score
    change = log2(abs(seconds)) + at / HALF_LIFE_SECONDS
    if seconds < 0 and change >= score - _SCORE_ERROR:
        return UNUSED
    high, low = max(score, change), min(score, change)
    return round(high + log2(1 + copysign(2.0 ** (low - high), seconds)), _SCORE_DIGITS)


def used_seconds(score: float, at: float) -> float:
    """What is left at second `at` of the use behind `score`."""
    return float(2.0 ** min(score - at / HALF_LIFE_SECONDS, _MOST_USED))


def share_key(guild_id: int, member_id: str) -> str:
    """The key of a member's share."""
    return f"{guild_id}/{member_id}"


async def add_waiting(database: Database, connection: AsyncConnection, job: Any) -> int:
    """Counts a new job in the shares of its guild and member, which are made where they are missing.

    Returns how many of the member's jobs wait in the guild now; until the transaction ends nobody else can add one.
    """
    waiting = 0
    for shares in (guild_shares, member_shares):
        row = {"guild_id": job.guild_id, "waiting": 1, "waiting_seconds": job.estimated_seconds, "score": UNUSED}
        if shares is member_shares:
            row |= {"share_key": job.share_key, "member_id": job.member_id}
        grown = {
            "waiting": shares.c.waiting + 1,
            "waiting_seconds": shares.c.waiting_seconds + job.estimated_seconds,
        }
        statement = database.insert(shares).values(row)
        counted = statement.on_conflict_do_update(index_elements=shares.primary_key.columns.keys(), set_=grown)
        waiting = int((await connection.execute(counted.returning(shares.c.waiting))).scalar_one())
    return waiting


async def update_shares(
    connection: AsyncConnection, job: Any, *, waiting: int = 0, used: float = 0.0, at: float = 0.0
) -> None:
    """Adds `waiting` jobs like `job`, and `used` device seconds at second `at`; both may be negative."""
    # Always the guild's share first, so that all who need both locks take them in one order.
    for shares in (guild_shares, member_shares):
        where = _of(shares, job)
        row = (await connection.execute(select(shares).where(where).with_for_update())).one()
        left = row.waiting + waiting
        values = {
            "waiting": left,
            # Where nothing waits it is exactly zero, so that rounding errors never add up.
            "waiting_seconds": row.waiting_seconds + waiting * job.estimated_seconds if left else 0.0,
            "score": charged(row.score, used, at),
        }
        await connection.execute(update(shares).where(where).values(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with waiting jobs; `use` is its device seconds now.

    `key` decides between shares of equal use, as in the claim: by number between guilds, as text between members.
    """

    key: int | str
    use: float
    waiting: int
    waiting_seconds: float

    def served_before(self, level: float, key: int | str) -> int:
        """How many of its jobs start before a share of that `key` whose use has reached `level`."""
        turns = round((level - self.use) / (self.waiting_seconds / self.waiting or 1.0), _TURN_DIGITS)
        count = floor(turns) + 1 if _is_first(self.key, key) else ceil(turns)
        return max(0, min(self.waiting, count))


def _is_first(one: int | str, other: int | str) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return one < other
    return str(one) < str(other)


async def ahead_of(connection: AsyncConnection, job: Any, now: float) -> tuple[int, float]:
    """How many jobs the fair order puts before a queued `job`, and the device seconds predicted for them."""
    own_jobs, own_seconds = await _ahead_in_share(connection, job)
    members = await _waiting_shares(connection, member_shares, now, member_shares.c.guild_id == job.guild_id)
    count, seconds = _ahead_of_share(members, job.share_key, own_jobs, own_seconds)
    return _ahead_of_share(await _waiting_shares(connection, guild_shares, now), job.guild_id, count, seconds)


def _ahead_of_share(shares: dict[int | str, Share], key: int | str, count: int, seconds: float) -> tuple[int, float]:
    # By the time that the job is next in its share, the share has also used the seconds of the jobs before it there.
    level = shares[key].use + seconds
    for other in shares.values():
        if other.key != key:
            served = other.served_before(level, key)
            count += served
            seconds += served * other.waiting_seconds / other.waiting
    return count, seconds


async def _ahead_in_share(connection: AsyncConnection, job: Any) -> tuple[int, float]:
    query = select(func.count(), func.coalesce(func.sum(jobs.c.estimated_seconds), 0.0)).where(
        jobs.c.share_key == job.share_key,
        jobs.c.state == literal_column("'queued'"),
        tuple_(jobs.c.run_after, jobs.c.id) < (job.run_after, job.id),
    )
    count, seconds = (await connection.execute(query)).one()
    return count, seconds


async def _waiting_shares(
    connection: AsyncConnection, table: Table, now: float, *where: ColumnElement[bool]
) -> dict[int | str, Share]:
    rows = await connection.execute(select(table).where(table.c.waiting > 0, *where))
    shares = (
        Share(
            key=row.share_key if table is member_shares else row.guild_id,
            use=used_seconds(row.score, now),
            waiting=row.waiting,
            waiting_seconds=row.waiting_seconds,
        )
        for row in rows
    )
    return {share.key: share for share in shares}


def _of(shares: Table, job: Any) -> ColumnElement[bool]:
    key, value = (shares.c.share_key, job.share_key) if shares is member_shares else (shares.c.guild_id, job.guild_id)
    return key == literal(value)
