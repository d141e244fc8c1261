"""Each guild's keys for the places that LoRA files come from, as sealed texts: what seals them is not kept here."""

from enum import StrEnum

from sqlalchemy import delete, select

from storage.database import Database
from storage.tables import source_keys


class KeySource(StrEnum):
    """A place that asks for a key; the value is stored and is what an admin types."""

    CIVITAI = "civitai"
    HUGGING_FACE = "huggingface"


class SourceKeyStore:
    """The sealed keys of all guilds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, guild_id: int, source: KeySource, sealed: str) -> None:
        """Keeps the guild's key for `source` in place of the one that it had."""
        row = {"guild_id": guild_id, "source": source, "sealed": sealed}
        statement = self._database.insert(source_keys).values(row)
        statement = statement.on_conflict_do_update(index_elements=["guild_id", "source"], set_={"sealed": sealed})
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def get(self, guild_id: int) -> dict[KeySource, str]:
        """The guild's sealed keys."""
        query = select(source_keys).where(source_keys.c.guild_id == guild_id)
        async with self._database.read() as connection:
            return {KeySource(row.source): row.sealed for row in await connection.execute(query)}

    async def remove(self, guild_id: int, source: KeySource) -> None:
        """Forgets the guild's key for `source`, if it has one."""
        where = source_keys.c.guild_id == guild_id, source_keys.c.source == source
        async with self._database.write() as connection:
            await connection.execute(delete(source_keys).where(*where))
