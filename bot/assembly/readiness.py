"""Whether this process can do its work now, and if not, which part of it cannot, in words that anyone may read."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from handlers.worker.worker import Worker
from pipeline.errors import UserError, without_places
from pipeline.supervisor import Supervisor
from storage.database import Database
from storage.errors import StorageError, disk_error

_log = logging.getLogger(__name__)

_SECONDS: Final = 3.0
_PROBE_BYTES: Final = 2**20
_PROBE: Final = ".ready-"

Check = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else what is missing in a few words."""


@dataclass(slots=True, kw_only=True)
class Readiness:
    """Asks all `checks` at once, for `seconds` at most; those who want to know at the same time share one look."""

    checks: dict[str, Check]
    seconds: float = _SECONDS
    _asked: dict[str, asyncio.Task[str | None]] = field(default_factory=dict)
    _look: asyncio.Task[dict[str, str]] | None = None

    async def missing(self) -> dict[str, str]:
        """What is missing, by the names of the checks; nothing when all is well."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._missing())
        return await asyncio.shield(self._look)

    async def _missing(self) -> dict[str, str]:
        names = tuple(self.checks)  # more may come while these are asked
        found = await asyncio.gather(*(self._ask(name) for name in names))
        return {name: why for name, why in zip(names, found, strict=True) if why is not None}

    async def _ask(self, name: str) -> str | None:
        """What the check says; one that has not answered goes on, so that no second waits beside it."""
        if name not in self._asked:
            self._asked[name] = asyncio.ensure_future(self.checks[name]())
        asked = self._asked[name]
        done, _ = await asyncio.wait({asked}, timeout=self.seconds)
        if not done:
            return "it does not answer"
        del self._asked[name]
        return _answer(name, asked)


def _answer(name: str, asked: asyncio.Task[str | None]) -> str | None:
    """The check's answer, without what it would tell anyone of this machine."""
    try:
        why = asked.result()
    except StorageError as error:
        why = error.plain
    except UserError as error:
        why = str(error)
    except Exception:
        _log.exception("whether all is well with the %s cannot be found out", name)
        why = "it cannot be used; the log says why"
    return why if why is None else without_places(why, commands=False)


def standard_checks(database: Database, worker: Worker, data: Path | None = None) -> dict[str, Check]:
    """What every `limner serve` needs before it is ready: a database, a disk, devices, and its own tasks."""

    async def check_database() -> str | None:
        await database.check()
        return None

    async def check_devices() -> str | None:
        missing = [device.name for device in worker.devices if device.name not in worker.ready]
        words = [f"{name}: {worker.troubles.get(name, 'still loading')}" for name in missing]
        return "; ".join(words) or None

    checks = {"database": check_database, "devices": check_devices, "tasks": _tasks(worker.supervisor)}
    return checks if data is None else checks | {"data": _disk(data)}


def _tasks(supervisor: Supervisor) -> Check:
    async def check() -> str | None:
        failing = ", ".join(supervisor.failing)
        return f"{failing} failed again and again; the log says why" if failing else None

    return check


def _disk(data: Path) -> Check:
    async def check() -> str | None:
        try:
            await asyncio.to_thread(_probe, data)
        except FileNotFoundError:
            return "The data folder is gone; bring it back, then start again."
        except OSError as error:
            raise disk_error(error, "the data folder") from error
        return None

    return check


def _probe(data: Path) -> None:
    """Write and remove as much as a small image; raises OSError."""
    path = data / f"{_PROBE}{time.time_ns()}"
    try:
        path.write_bytes(bytes(_PROBE_BYTES))
    finally:
        path.unlink(missing_ok=True)
