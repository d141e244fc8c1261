"""Each guild's keys for the places that LoRA files come from, stored encrypted and read only to fetch a file."""

from dataclasses import replace
from enum import StrEnum
from typing import Final, assert_never

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.lora.sources.keys import SourceKeys
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.audit import add_entry
from storage.tables import source_keys

_ACTION: Final = "lora key"


class KeySource(StrEnum):
    """A place that asks for a key; the value is stored and is what an admin types."""

    CIVITAI = "civitai"
    HUGGING_FACE = "huggingface"


class SourceKeyStore:
    """The keys of all guilds, encrypted."""

    def __init__(self, database: Database, encryption: Encryption) -> None:
        self._database = database
        self._encryption = encryption

    async def put(self, guild_id: int, source: KeySource, key: str, actor: str) -> None:
        """Stores the guild's key for `source` in place of an earlier one, and an audit entry that `actor` set it.

        Raises InvalidRequest for what cannot be a key.
        """
        _with(SourceKeys(), source, key)
        encrypted = self._encryption.encrypt(key)
        statement = self._database.insert(source_keys).values(guild_id=guild_id, source=source, encrypted=encrypted)
        statement = statement.on_conflict_do_update(
            index_elements=["guild_id", "source"], set_={"encrypted": encrypted}
        )
        async with self._database.write() as connection:
            await connection.execute(statement)
            await self._note(connection, guild_id, actor, f"{source} key set")

    async def sources(self, guild_id: int) -> frozenset[KeySource]:
        """The places for which the guild has a key."""
        query = select(source_keys.c.source).where(source_keys.c.guild_id == guild_id)
        async with self._database.read() as connection:
            return frozenset(KeySource(source) for source in (await connection.scalars(query)).all())

    async def get(self, guild_id: int) -> SourceKeys:
        """The guild's keys; raises UserError where they cannot be decrypted."""
        query = select(source_keys).where(source_keys.c.guild_id == guild_id)
        keys = SourceKeys()
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                keys = _with(keys, KeySource(row.source), self._encryption.decrypt(row.encrypted))
        return keys

    async def remove(self, guild_id: int, source: KeySource, actor: str) -> bool:
        """Deletes the guild's key for `source` and records that `actor` did; False if it had none."""
        where = source_keys.c.guild_id == guild_id, source_keys.c.source == source
        async with self._database.write() as connection:
            found = (await connection.execute(delete(source_keys).where(*where))).rowcount == 1
            if found:
                await self._note(connection, guild_id, actor, f"{source} key removed")
        return found

    async def _note(self, connection: AsyncConnection, guild_id: int, actor: str, detail: str) -> None:
        at = self._database.clock.wall()
        await add_entry(connection, guild_id=guild_id, at=at, actor=actor, action=_ACTION, detail=detail)


def _with(keys: SourceKeys, source: KeySource, key: str) -> SourceKeys:
    match source:
        case KeySource.CIVITAI:
            return replace(keys, civitai=key)
        case KeySource.HUGGING_FACE:
            return replace(keys, hugging_face=key)
        case _:
            assert_never(source)
