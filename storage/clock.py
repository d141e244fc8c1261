"""The clock that leases, waits and ages in a database are measured by; the wall clock is for what people read.

A wall clock jumps: a person sets it, the network corrects it. On PostgreSQL every process asks the server. A SQLite
file is used by the processes of one machine, which count from its boot: the database keeps which boot that is and what
its clock showed when it began, so that all of them agree. With each boot the clock begins again at the wall clock's
time, but never before a time that is stored already.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

from sqlalchemy import ColumnElement, Double, Select, cast, extract, func, literal_column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import jobs, key_values, replies

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NAME: Final = "clock"


class Clock(Protocol):
    """Tells two times: one to measure by and one to show."""

    async def read(self, connection: AsyncConnection) -> float:
        """Seconds by which all processes on the database measure, close to Unix seconds."""

    def wall(self) -> float:
        """Unix seconds of this machine's wall clock, which may jump."""


@dataclass(frozen=True, slots=True)
class ServerClock:
    """The clock of a PostgreSQL server, the same for every machine that uses it."""

    async def read(self, connection: AsyncConnection) -> float:
        """What the server's clock shows at this moment, also within a long transaction."""
        return float((await connection.execute(_SERVER_NOW)).scalar_one())

    def wall(self) -> float:
        """Unix seconds of this machine's wall clock, which may jump."""
        return time.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a machine tells of time: which boot this is, seconds since it, and its wall clock.

    `boot_id` is None on a machine that does not say; there the wall clock has to do.
    """

    boot_id: str | None
    since_boot: Callable[[], float]
    wall: Callable[[], float] = time.time

    @classmethod
    def this(cls) -> Self:
        """The machine that this process runs on."""
        try:
            boot_id = _BOOT_ID.read_text().strip()
        except OSError:
            return cls(boot_id=None, since_boot=time.time)
        return cls(boot_id=boot_id, since_boot=lambda: time.clock_gettime(time.CLOCK_BOOTTIME))


@dataclass(frozen=True, slots=True, kw_only=True)
class BootClock:
    """The clock of a SQLite file: `began` is what it showed when the machine booted."""

    machine: Machine
    began: float

    @classmethod
    async def stored(cls, connection: AsyncConnection, machine: Machine) -> Self | None:
        """The clock that the database has for this boot, or None if it has none yet."""
        if machine.boot_id is None:
            return cls(machine=machine, began=0.0)
        text = await connection.scalar(select(key_values.c.text).where(key_values.c.name == _NAME))
        kept = {} if text is None else json.loads(text)
        return cls(machine=machine, began=kept["began"]) if kept.get("boot") == machine.boot_id else None

    @classmethod
    async def new(cls, connection: AsyncConnection, machine: Machine) -> Self:
        """A clock for this boot, not stored yet."""
        latest = float((await connection.execute(_LATEST)).scalar_one())
        return cls(machine=machine, began=max(machine.wall(), latest) - machine.since_boot())

    async def store(self, connection: AsyncConnection) -> Self:
        """Stores the clock, unless another process did it first; returns the one that is stored."""
        if (first := await self.stored(connection, self.machine)) is not None:
            return first
        row = {"name": _NAME, "text": json.dumps({"boot": self.machine.boot_id, "began": self.began})}
        statement = sqlite.insert(key_values).values(row)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
        return self

    async def read(self, connection: AsyncConnection) -> float:  # noqa: ARG002 - another clock asks a server
        """Seconds since the boot, counted on from what the clock showed then."""
        return self.began + self.machine.since_boot()

    def wall(self) -> float:
        """Unix seconds of this machine's wall clock, which may jump."""
        return self.machine.wall()


def _latest(column: ColumnElement[float], state: ColumnElement[str], value: str) -> Select[Any]:
    # The state is written into the statement, so that a planner sees that a partial index has all the rows.
    return select(func.max(column)).where(state == literal_column(f"'{value}'"))


_SERVER_NOW: Final = select(cast(extract("epoch", func.clock_timestamp()), Double))
# Up to here something waits or has happened, so that from here on nothing waits for a time that never comes.
_LATEST: Final = select(
    func.max(
        *(
            func.coalesce(query.scalar_subquery(), 0.0)
            for query in (
                _latest(jobs.c.run_after, jobs.c.state, "queued"),
                _latest(jobs.c.heartbeat_at, jobs.c.state, "running"),
                _latest(replies.c.due_at, replies.c.state, "open"),
                select(func.max(jobs.c.finished_at)).where(jobs.c.finished_at.is_not(None)),
            )
        )
    )
)
