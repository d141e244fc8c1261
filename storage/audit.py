"""Who changed what in a guild: entries that are added and never edited."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`actor` did `action` at Unix second `at`; `detail` says it in words."""

    id: int
    guild_id: int
    at: float
    actor: str
    action: str
    detail: str


class AuditLog:
    """The audit entries of every guild; `clock` tells Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def record(self, guild_id: int, actor: str, action: str, detail: str) -> None:
        """Adds an entry."""
        raise NotImplementedError

    async def entries(self, guild_id: int, limit: int = 25, before: int | None = None) -> tuple[AuditEntry, ...]:
        """A guild's entries, newest first, at most `limit`, of ids below `before`."""
        raise NotImplementedError
