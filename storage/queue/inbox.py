"""What platforms sent and what is not answered yet: stored before it is acknowledged, so that no restart loses it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, select, true, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.errors import UserError
from storage.database import Database
from storage.encryption import Encryption
from storage.errors import StorageError
from storage.platform import Platform
from storage.tables import inbox

_log = logging.getLogger(__name__)

STORE_SECONDS: Final = 2.0
"""Platforms wait three seconds for an acknowledgement; the rest is for a refusal."""
MOST_ATTEMPTS: Final = 3
"""What ended so many processes, each of which tried to answer it, is tried no more."""
_KEPT_SECONDS: Final = 3600.0
"""By then every token is over that could show a private result in its place."""
_MOST_TAKEN: Final = 20
_FINISH_SECONDS: Final = 3.0


class AnsweredElsewhere(Exception):
    """Another process took over what was received, and has answered it."""


class Unreachable(Exception):
    """The platform takes no answer now; what was received is to be answered later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a platform sent `age` seconds ago, as JSON; `attempt` counts the processes that tried to answer it."""

    id: int
    payload: Any
    attempt: int
    age: float


@dataclass(slots=True, kw_only=True)
class _Arrival:
    row: dict[str, Any]
    stored: asyncio.Future[int | None]


@dataclass(slots=True)
class _Handled:
    id: int
    answered: bool = False


_HANDLED: Final[ContextVar[_Handled | None]] = ContextVar("handled", default=None)


@dataclass(slots=True)
class Inbox:
    """What was received and is not answered, of every platform.

    What is handled is held for as long as `hold` is called; what nobody holds is taken up by the next who asks.
    `_due` are the statements that the database did not take yet, by the ids that they are about.
    """

    database: Database
    encryption: Encryption
    _arrivals: list[_Arrival] = field(default_factory=list)
    _storing: asyncio.Task[None] | None = None
    _held: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    _refused: list[int] = field(default_factory=list)
    _due: dict[int, Any] = field(default_factory=dict)
    _taking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def receive(self, platform: Platform, key: str, payload: object, application_id: str = "") -> int | None:
        """Stores a payload that an application got, under its platform's `key`; None where it was received before.

        What arrives while others are stored is stored with the next, in one transaction.
        """
        row = {
            "platform": platform,
            "key": key,
            "application_id": application_id,
            "encrypted": self.encryption.encrypt(json.dumps(payload)),
            "attempt": 1,
        }
        arrival = _Arrival(row=row, stored=asyncio.get_running_loop().create_future())
        self._arrivals.append(arrival)
        self._begin_storing()
        try:
            return await arrival.stored
        except asyncio.CancelledError:
            if not arrival.stored.cancelled() and not arrival.stored.exception() and (id_ := arrival.stored.result()):
                self._refused.append(id_)  # it was stored in the moment in which its sender gave up
                self._begin_storing()
            raise

    @asynccontextmanager
    async def handling(self, received_id: int) -> AsyncIterator[None]:
        """Hold what was received until the block ends, and with that it is answered, also by a fault that was told.

        Where the block is cancelled, or raises Unreachable, it is taken up later, by this process or another.
        """
        handled = _Handled(received_id)
        token = _HANDLED.set(handled)
        self._held[received_id] = asyncio.get_running_loop().create_future()
        try:
            yield
        except AnsweredElsewhere:
            _log.info("another process has answered what came as %d", received_id)
        except Unreachable as why:
            _log.warning("what came as %d is answered later: %s", received_id, why)
            await self._hand_back(received_id)
        except Exception:
            await self._close_unless(handled)
            raise
        else:
            await self._close_unless(handled)
        finally:
            self._held.pop(received_id).set_result(None)
            _HANDLED.reset(token)

    @property
    def handled_id(self) -> int | None:
        """What this task handles; a job that comes of it is stored as its answer."""
        handled = _HANDLED.get()
        return None if handled is None or handled.answered else handled.id

    def note_answered(self) -> None:
        """Take note that a job is stored, which answers what this task handles."""
        if (handled := _HANDLED.get()) is not None:
            handled.answered = True

    async def close(self, received_id: int) -> None:
        """Forgets the payload, which is answered; where the database does not take it now, as soon as it does."""
        await self._execute({received_id: _closing(inbox.c.id == received_id)})

    async def finish(self) -> None:
        """Wait a moment for what is handled here; what is not answered then is taken up after a restart.

        Once this returns, nothing is being taken up.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_SECONDS):
                while waiting := self._unfinished():
                    await asyncio.wait(waiting)
                await self._execute(self._due)
        async with self._taking:
            return

    def _unfinished(self) -> set[asyncio.Future[Any]]:
        storing = {self._storing} if self._storing is not None and not self._storing.done() else set()
        return storing | set(self._held.values())

    async def hold(self) -> None:
        """Tells the others that what is handled here is not left, and does what the database did not take before."""
        await self._execute(self._due)
        if not self._held:
            return
        async with self.database.write() as connection:
            now = await self.database.clock.read(connection)
            await connection.execute(update(inbox).where(inbox.c.id.in_(list(self._held))).values(held_at=now))

    async def take_left(self, platform: Platform, stale_seconds: float, application_id: str = "") -> list[Received]:
        """Takes up what nobody has held for so long, oldest first; each goes to one process.

        Of several applications on the platform, what `application_id` got; one that is not known yet takes any.
        """
        async with self._taking, self.database.write() as connection:
            now = await self.database.clock.read(connection)
            left = (
                select(inbox.c.id)
                .where(inbox.c.platform == platform, inbox.c.encrypted.is_not(None))
                .where(inbox.c.held_at <= now - stale_seconds, _got_by(application_id))
                .where(inbox.c.id.not_in([*self._held, *self._due]))
                .order_by(inbox.c.id)
                .limit(_MOST_TAKEN)
                .with_for_update(skip_locked=True)
            )
            taking = update(inbox).where(inbox.c.id.in_(left)).values(held_at=now, attempt=inbox.c.attempt + 1)
            rows = (await connection.execute(taking.returning(*inbox.c))).all()
        found = [await self._opened(row, row.encrypted, now) for row in sorted(rows, key=lambda row: row.id)]
        return [received for received in found if received is not None]

    async def kept(self, received_id: int) -> Received | None:
        """What asked for a job, where it was kept for that."""
        async with self.database.read() as connection:
            now = await self.database.clock.read(connection)
            row = (await connection.execute(select(inbox).where(inbox.c.id == received_id))).one_or_none()
        return None if row is None or row.kept is None else await self._opened(row, row.kept, now)

    async def forget_old(self, older_than_seconds: float) -> None:
        """Deletes what came longer ago than a platform repeats itself, and tokens that are over."""
        async with self.database.write() as connection:
            now = await self.database.clock.read(connection)
            over = inbox.c.kept.is_not(None), inbox.c.received_at <= now - _KEPT_SECONDS
            await connection.execute(update(inbox).where(*over).values(kept=None))
            await connection.execute(delete(inbox).where(inbox.c.received_at <= now - older_than_seconds))

    async def _close_unless(self, handled: _Handled) -> None:
        if not handled.answered:
            await self.close(handled.id)

    async def _hand_back(self, received_id: int) -> None:
        """Leave it for later without counting the attempt, which failed for no fault of what was received."""
        try:
            async with self.database.write() as connection:
                now = await self.database.clock.read(connection)
                values = {"held_at": now, "attempt": inbox.c.attempt - 1}
                await connection.execute(update(inbox).where(inbox.c.id == received_id).values(values))
        except StorageError as error:
            _log.warning("the attempt to answer what came as %d counts: %s", received_id, error)

    async def _execute(self, statements: Mapping[int, Any], *, urgent: bool = False) -> None:
        """Execute them, now or once the database takes them; until then what they are about is not taken up here."""
        due = dict(statements)
        if not due:
            return
        self._due |= due
        try:
            async with self.database.write(urgent=urgent) as connection:
                for _, statement in sorted(due.items()):  # in one order, so that no two processes wait for each other
                    await connection.execute(statement)
        except (StorageError, SQLAlchemyError) as error:
            _log.warning("what is answered, or was refused, is noted later: %s", error)
        else:
            self._due = {id_: statement for id_, statement in self._due.items() if id_ not in due}

    async def _opened(self, row: Any, encrypted: str, now: float) -> Received | None:
        try:
            payload = json.loads(self.encryption.decrypt(encrypted))
        except UserError:
            _log.error("what was received as %d was encrypted with another key; it cannot be answered", row.id)
            await self.close(row.id)
            return None
        return Received(id=row.id, payload=payload, attempt=row.attempt, age=now - row.received_at)

    def _begin_storing(self) -> None:
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())

    async def _store(self) -> None:
        while self._arrivals or self._refused:
            await self._take_back()
            if not self._arrivals:
                continue
            arrivals: list[_Arrival] = []
            try:
                async with self.database.write(urgent=True) as connection:
                    arrivals = self._waiting()
                    ids = await self._insert(connection, arrivals)
            except Exception as error:
                for arrival in arrivals or self._waiting():
                    if not arrival.stored.done():
                        arrival.stored.set_exception(error)
            else:
                self._hand_out(arrivals, ids)

    def _waiting(self) -> list[_Arrival]:
        """Those that came so far, but for those whose senders have been told that they were not taken."""
        arrivals, self._arrivals = self._arrivals, []
        return [arrival for arrival in arrivals if not arrival.stored.done()]

    async def _insert(self, connection: AsyncConnection, arrivals: Sequence[_Arrival]) -> dict[str, int]:
        """The ids of those that are new, by their platforms and keys."""
        if not arrivals:
            return {}
        now = await self.database.clock.read(connection)
        rows = [{**arrival.row, "received_at": now, "held_at": now} for arrival in arrivals]
        # In one order, so that two processes that store the same do not wait for each other.
        rows.sort(key=lambda row: (row["platform"], row["key"]))
        statement = self.database.insert(inbox).values(rows).on_conflict_do_nothing()
        stored = await connection.execute(statement.returning(inbox.c.platform, inbox.c.key, inbox.c.id))
        return {f"{row.platform} {row.key}": row.id for row in stored}

    def _hand_out(self, arrivals: Sequence[_Arrival], ids: dict[str, int]) -> None:
        for arrival in arrivals:
            # Of two with one key in one transaction, the first is the one that was received.
            id_ = ids.pop(f"{arrival.row['platform']} {arrival.row['key']}", None)
            if not arrival.stored.done():
                arrival.stored.set_result(id_)
            elif id_ is not None:
                self._refused.append(id_)

    async def _take_back(self) -> None:
        """Delete what was stored a moment after its sender was told that it was not."""
        refused, self._refused = self._refused, []
        await self._execute({id_: delete(inbox).where(inbox.c.id == id_) for id_ in refused}, urgent=True)


async def take_out(connection: AsyncConnection, received_id: int, *, keep: bool) -> None:
    """Closes what was received in the transaction that stores the job that it asked for; raises AnsweredElsewhere.

    Its payload may be kept, since the result goes to the member alone: only the payload's token shows it in its place.
    """
    closing = _closing((inbox.c.id == received_id) & inbox.c.encrypted.is_not(None)).returning(inbox.c.id)
    if keep:
        closing = closing.values(kept=inbox.c.encrypted)
    if (await connection.execute(closing)).one_or_none() is None:
        raise AnsweredElsewhere


def _closing(which: ColumnElement[bool]) -> Any:
    return update(inbox).where(which).values(encrypted=None)


def _got_by(application_id: str) -> ColumnElement[bool]:
    return inbox.c.application_id.in_(("", application_id)) if application_id else true()
