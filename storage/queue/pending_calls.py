"""Calls that wait for a click or a form: the command, its values so far, and the member whose call it is."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from storage.database import Database
from storage.tables import saved_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFile:
    """A file that already stood in the chat: `place` is where its platform keeps it, `option` what it is chosen for."""

    option: str
    name: str
    size: int
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCall:
    """A member's call of `command` with raw `values`, as they would be typed, and a `file` to be fetched with it."""

    id: int
    guild_id: int
    member_id: str
    command: str
    values: tuple[tuple[str, str], ...]
    file: ChosenFile | None = None


class SavedCalls:
    """The saved calls of every guild."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, guild_id: int, member_id: str, command: str, values: Mapping[str, str], file: ChosenFile | None = None
    ) -> int:
        """Stores a call and returns its id, which a button or a form carries."""
        row: dict[str, Any] = {
            "guild_id": guild_id,
            "member_id": member_id,
            "command": command,
            "arguments": json.dumps(dict(values)),
            "file": None if file is None else json.dumps(asdict(file)),
        }
        async with self._database.write() as connection:
            row["created_at"] = await self._database.clock.read(connection)
            statement = insert(saved_calls).values(row).returning(saved_calls.c.id)
            return int((await connection.execute(statement)).scalar_one())

    async def get(self, guild_id: int, call_id: int) -> SavedCall | None:
        """The guild's saved call of that id, or None."""
        query = select(saved_calls).where(saved_calls.c.guild_id == guild_id, saved_calls.c.id == call_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        values = tuple((str(name), str(value)) for name, value in json.loads(row.arguments).items())
        file = None if row.file is None else ChosenFile(**json.loads(row.file))
        return SavedCall(
            id=row.id, guild_id=row.guild_id, member_id=row.member_id, command=row.command, values=values, file=file
        )

    async def guild_of(self, call_id: int, member_id: str) -> int | None:
        """The guild in which the call was saved for the member; None where there is no such call of theirs."""
        query = select(saved_calls.c.guild_id).where(saved_calls.c.id == call_id, saved_calls.c.member_id == member_id)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def delete_old(self, older_than_seconds: float) -> None:
        """Deletes the calls that were saved longer ago than that."""
        async with self._database.write() as connection:
            oldest = await self._database.clock.read(connection) - older_than_seconds
            await connection.execute(delete(saved_calls).where(saved_calls.c.created_at <= oldest))
