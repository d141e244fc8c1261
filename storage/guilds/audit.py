"""Who changed what in a guild: entries that are added and never edited."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import audit

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`actor` did `action` at Unix second `at` of the wall clock; `detail` says it in words."""

    id: int
    guild_id: int
    at: float
    actor: str
    action: str
    detail: str


class AuditLog:
    """The audit entries of every guild."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, guild_id: int, actor: str, action: str, detail: str) -> None:
        """Adds an entry."""
        async with self._database.write() as connection:
            at = self._database.clock.wall()
            await add_entry(connection, guild_id=guild_id, at=at, actor=actor, action=action, detail=detail)

    async def record_daily(self, guild_id: int, actor: str, action: str, detail: str) -> None:
        """Adds an entry unless the guild has the same one of the last day: what goes wrong often is said once."""
        now = self._database.clock.wall()
        same = audit.c.guild_id == guild_id, audit.c.action == action, audit.c.detail == detail
        async with self._database.write() as connection:
            if not await connection.scalar(select(exists().where(*same, audit.c.at > now - _DAY))):
                await add_entry(connection, guild_id=guild_id, at=now, actor=actor, action=action, detail=detail)

    async def entries(self, guild_id: int, limit: int = 25, before: int | None = None) -> tuple[AuditEntry, ...]:
        """A guild's entries, newest first, at most `limit`, of ids below `before`."""
        query = select(audit).where(audit.c.guild_id == guild_id).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        async with self._database.read() as connection:
            return tuple(AuditEntry(**row) for row in (await connection.execute(query)).mappings())


async def add_entry(
    connection: AsyncConnection, *, guild_id: int, at: float, actor: str, action: str, detail: str
) -> None:
    """Adds an entry in the same transaction as the change that it describes."""
    row = {"guild_id": guild_id, "at": at, "actor": actor, "action": action, "detail": detail}
    await connection.execute(insert(audit).values(row))
