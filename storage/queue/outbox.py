"""The outbox: the replies that are owed, each given to one poster until it is posted or kept."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.platform import Platform
from storage.queue.jobs import Job, JobState
from storage.queue.records import job_of
from storage.queue.reply_address import ReplyAddress
from storage.tables import connections, images, jobs, replies


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply that is owed: the job as it was when read, where to post, and a `nonce` that never changes.

    A platform that refuses a second message with the same nonce keeps a crash between post and mark from showing.
    `tries` counts how often posting was put off; `poster` has leased it, if anyone has.
    """

    job: Job
    address: ReplyAddress
    nonce: str
    tries: int
    poster: str | None = None

    @property
    def destination(self) -> str:
        """The place whose posts keep their order: a channel, a thread in it, or a member in private."""
        address = self.address
        whose = address.user_id if address.private else ""
        return f"{self.job.guild_id}/{address.channel_id}/{address.thread_id or ''}/{whose}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A reply that is due, and where it goes: `destination` names the place whose posts keep their order."""

    job_id: int
    guild_id: int
    destination: str


class ReplyState(StrEnum):
    """Whether a reply is still owed, was posted, or could not be delivered and stays in the history."""

    OPEN = "open"
    POSTED = "posted"
    KEPT = "kept"


class Outbox:
    """Hands each final, unposted reply to one poster at a time."""

    def __init__(self, database: Database, lease_seconds: float = 60) -> None:
        self._database = database
        self._lease_seconds = lease_seconds

    async def waiting(
        self,
        platform: Platform,
        limit: int,
        passing: Collection[str] = (),
        passing_guilds: Collection[int] = (),
        application_id: str = "",
    ) -> list[Waiting]:
        """The first due reply of each destination, at most `limit`, but for those that are passed over; leases none.

        Of several applications on the platform, those that `application_id` owes.
        """
        order = replies.c.due_at, replies.c.job_id
        now = await self._database.now()
        first = (
            select(
                replies.c.job_id, replies.c.due_at, jobs.c.guild_id, _DESTINATION.label("destination"),
                func.row_number().over(partition_by=_DESTINATION, order_by=order).label("place"),
            )
            .join_from(replies, jobs)
            .where(_open(platform), replies.c.due_at <= now, _owed_by(application_id))
            .where(_DESTINATION.not_in(passing), jobs.c.guild_id.not_in(passing_guilds))
            .subquery()
        )  # fmt: skip
        query = select(first.c.job_id, first.c.guild_id, first.c.destination).where(first.c.place == 1)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(first.c.due_at, first.c.job_id).limit(limit))
            return [Waiting(job_id=row.job_id, guild_id=row.guild_id, destination=row.destination) for row in rows]

    async def due(self, platform: Platform, poster: str, limit: int = 10, *, job_id: int | None = None) -> list[Reply]:
        """Leases up to `limit` replies of final jobs to `poster`, or that of `job_id` alone.

        A lease that runs out makes its reply due again.
        """
        async with self._database.read() as connection:
            now = await self._database.clock.read(connection)
            due = [_open(platform), replies.c.due_at <= now, *([] if job_id is None else [replies.c.job_id == job_id])]
            if not await connection.scalar(select(exists().where(*due))):
                return []
        waiting = (
            select(replies.c.job_id)
            .where(*due)
            .order_by(replies.c.due_at, replies.c.job_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.write() as connection:
            # Two statements: as a subquery of the UPDATE, PostgreSQL may run the limited SELECT more than once.
            leased = (await connection.scalars(waiting)).all()
            await connection.execute(
                update(replies)
                .where(replies.c.job_id.in_(leased))
                .values(poster=poster, due_at=now + self._lease_seconds)
            )
            rows = await connection.execute(_REPLIES.where(jobs.c.id.in_(leased)).order_by(jobs.c.id))
            return [_reply_of(row) for row in rows]

    async def mark_posted(self, reply: Reply, message_id: str) -> bool:
        """Records that the reply is posted as `message_id`; False when it was settled, or is no longer its poster's."""
        return await self._settle(reply, state=ReplyState.POSTED, posted_message_id=message_id)

    async def mark_kept(self, reply: Reply, why: str) -> bool:
        """Records that the reply cannot be delivered and stays in the history; False when it was already settled."""
        return await self._settle(reply, state=ReplyState.KEPT, kept_because=why)

    async def defer(self, reply: Reply, seconds: float) -> bool:
        """Ends the lease and makes the reply due again after `seconds`; False when it was already settled."""
        async with self._database.write() as connection:
            due_at = await self._database.clock.read(connection) + seconds
            return await _change(connection, reply, due_at=due_at, poster=None, tries=replies.c.tries + 1)

    async def rest(self, reply: Reply, seconds: float) -> None:
        """Defers the reply, and with it all that is due at its destination, which keeps their order."""
        await self.defer(reply, seconds)
        async with self._database.write() as connection:
            now = await self._database.clock.read(connection)
            due = _open(reply.address.platform), replies.c.due_at <= now, _DESTINATION.in_([reply.destination])
            others = select(replies.c.job_id).join_from(replies, jobs).where(*due)
            values = update(replies).where(replies.c.job_id.in_(others)).values(due_at=now + seconds)
            await connection.execute(values)

    async def post_again(self, job_id: int, message_id: str) -> bool:
        """Makes the reply of a job that has ended due once more, if `message_id` shows it or is to show it.

        For a process that has just put progress into that message: another one may have put the result there before.
        What someone is posting at this moment is posted again, too. Returns whether there was such a reply.
        """
        shown = and_(replies.c.state == ReplyState.POSTED, replies.c.posted_message_id.startswith(message_id))
        to_come = and_(replies.c.state == ReplyState.OPEN, replies.c.message_id == message_id)
        ended = replies.c.job_id == job_id, replies.c.due_at.is_not(None), or_(shown, to_come)
        async with self._database.read() as connection:
            if not await connection.scalar(select(exists().where(*ended))):
                return False
        async with self._database.write() as connection:
            now = await self._database.clock.read(connection)
            due = {"state": ReplyState.OPEN, "poster": None, "due_at": now, "settled_at": None}
            changed = await connection.execute(update(replies).where(*ended).values(due).returning(replies.c.job_id))
            return changed.one_or_none() is not None

    async def renew(self, poster: str, job_ids: Collection[int]) -> None:
        """Lets the leases of these jobs' replies begin again, as far as they are still the poster's."""
        this = replies.c.job_id.in_(job_ids), replies.c.poster == poster, replies.c.state == ReplyState.OPEN
        async with self._database.write() as connection:
            due_at = await self._database.clock.read(connection) + self._lease_seconds
            await connection.execute(update(replies).where(*this).values(due_at=due_at))

    async def open_replies(self, platform: Platform, limit: int = 200, application_id: str = "") -> list[Reply]:
        """Up to `limit` replies whose jobs are not final, running jobs first: those whose progress is shown.

        Of several applications on the platform, those that `application_id` owes.
        """
        found: list[Reply] = []
        async with self._database.read() as connection:
            for state in (JobState.RUNNING, JobState.QUEUED):
                shown = _open(platform), replies.c.due_at.is_(None), jobs.c.state == state, _owed_by(application_id)
                query = _REPLIES.where(*shown)
                rows = await connection.execute(query.order_by(jobs.c.id).limit(limit - len(found)))
                found += [_reply_of(row) for row in rows]
        return found

    async def open_in_guild(
        self, platform: Platform, guild_id: int, after: int, limit: int, besides: str = ""
    ) -> list[Reply]:
        """Up to `limit` replies of the guild whose jobs are not final, of ids above `after`, oldest first.

        Those of the member `besides` are left out.
        """
        others = jobs.c.guild_id == guild_id, jobs.c.member_id != besides
        where = _open(platform), replies.c.due_at.is_(None), *others, jobs.c.id > after
        async with self._database.read() as connection:
            rows = await connection.execute(_REPLIES.where(*where).order_by(jobs.c.id).limit(limit))
            return [_reply_of(row) for row in rows]

    async def set_message(self, job_id: int, message_id: str) -> str:
        """Remembers the status message that shows a job's progress, unless there is one; returns which it is."""
        first = func.coalesce(replies.c.message_id, message_id)
        statement = update(replies).where(replies.c.job_id == job_id).values(message_id=first)
        async with self._database.write() as connection:
            return str((await connection.execute(statement.returning(replies.c.message_id))).scalar_one())

    async def address(self, guild_id: int, job_id: int) -> ReplyAddress | None:
        """Where the reply of the guild's job goes, or went; None when there is no such job."""
        async with self._database.read() as connection:
            query = _REPLIES.where(jobs.c.guild_id == guild_id, jobs.c.id == job_id)
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _reply_of(row).address

    async def posted_as(self, job_id: int) -> str | None:
        """The `message_id` that `mark_posted` recorded for a job's reply; None while it is not posted."""
        async with self._database.read() as connection:
            query = select(replies.c.posted_message_id).where(replies.c.job_id == job_id)
            return (await connection.execute(query)).scalar_one_or_none()

    async def posted(self, job_ids: Collection[int]) -> dict[int, ReplyAddress]:
        """Where the replies of these jobs went, with the ids of their messages; those not posted are left out."""
        query = _REPLIES.add_columns(replies.c.posted_message_id).where(replies.c.job_id.in_(job_ids))
        async with self._database.read() as connection:
            rows = await connection.execute(query.where(replies.c.posted_message_id.is_not(None)))
            return {row.id: replace(_reply_of(row).address, message_id=row.posted_message_id) for row in rows}

    async def newest_kept(self, guild_id: int, member_id: str) -> Job | None:
        """The member's newest job whose images could not be delivered and were not fetched since."""
        mine = jobs.c.guild_id == guild_id, jobs.c.member_id == member_id, replies.c.state == ReplyState.KEPT
        query = select(jobs).join(replies).where(*mine, jobs.c.id.in_(select(images.c.job_id)))
        async with self._database.read() as connection:
            row = (await connection.execute(query.order_by(jobs.c.id.desc()).limit(1))).one_or_none()
        return None if row is None else job_of(row)

    async def mark_fetched(self, job_id: int) -> None:
        """Records that the member fetched what could not be delivered."""
        kept = replies.c.job_id == job_id, replies.c.state == ReplyState.KEPT
        async with self._database.write() as connection:
            await connection.execute(update(replies).where(*kept).values(state=ReplyState.POSTED))

    async def unsettled(self, platform: Platform) -> int:
        """How many replies of the platform are neither posted nor kept, their jobs final or not."""
        async with self._database.read() as connection:
            query = select(func.count()).select_from(replies).where(_open(platform))
            return (await connection.execute(query)).scalar_one()

    async def _settle(self, reply: Reply, **values: object) -> bool:
        async with self._database.write() as connection:
            return await _change(connection, reply, settled_at=await self._database.clock.read(connection), **values)


async def _change(connection: AsyncConnection, reply: Reply, **values: object) -> bool:
    this = replies.c.job_id == reply.job.id, replies.c.state == ReplyState.OPEN, replies.c.poster == reply.poster
    changed = await connection.execute(update(replies).where(*this).values(values).returning(replies.c.job_id))
    return changed.one_or_none() is not None


_ADDRESS_FIELDS: Final = tuple(field.name for field in fields(ReplyAddress))

_REPLIES: Final = select(jobs, *(replies.c[name] for name in (*_ADDRESS_FIELDS, "nonce", "tries", "poster"))).join_from(
    replies, jobs
)


_DESTINATION: Final = (
    cast(jobs.c.guild_id, String)
    + "/"
    + replies.c.channel_id
    + "/"
    + func.coalesce(replies.c.thread_id, "")
    + "/"
    + case((replies.c.private, replies.c.user_id), else_="")
)
"""`Reply.destination`, as the database says it."""


def _open(platform: Platform) -> ColumnElement[bool]:
    # The state is written into the statement: planners use a partial index only for a condition that they can see.
    return and_(replies.c.platform == platform, replies.c.state == literal_column("'open'"))


def _owed_by(application_id: str) -> ColumnElement[bool]:
    """Whether the application posts the reply: it was asked for it, or the one that was has left the guild."""
    if not application_id:
        return true()
    asked = select(connections).where(
        connections.c.guild_id == jobs.c.guild_id,
        connections.c.application_id == replies.c.application_id,
        connections.c.removed_at.is_(None),
    )
    return or_(replies.c.application_id.in_(("", application_id)), ~asked.exists())


def _reply_of(row: Row[Any]) -> Reply:
    values = {name: getattr(row, name) for name in _ADDRESS_FIELDS}
    address = ReplyAddress(**{**values, "platform": Platform(row.platform)})
    return Reply(job=job_of(row), address=address, nonce=row.nonce, tries=row.tries, poster=row.poster)
