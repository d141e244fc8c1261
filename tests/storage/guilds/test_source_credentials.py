"""The guilds' keys, on every database."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from pipeline.errors import InvalidRequest, UserError
from pipeline.lora.sources.keys import SourceKeys
from storage.database import Database
from storage.encryption import Encryption
from storage.guilds.audit import AuditLog
from storage.guilds.guilds import Guild
from storage.guilds.source_credentials import KeySource, SourceKeyStore
from storage.tables import source_keys


@pytest.fixture
def keys(database: Database, tmp_path: Path) -> SourceKeyStore:
    return SourceKeyStore(database, Encryption.from_file(tmp_path))


async def test_a_guild_has_its_own_keys(keys: SourceKeyStore, guild: Guild, other_guild: Guild) -> None:
    """One a source: a new one takes the old one's place; no other guild has it; what is removed is gone."""
    await keys.put(guild.id, KeySource.CIVITAI, "old", "Ada")
    await keys.put(guild.id, KeySource.CIVITAI, "new", "Ada")
    await keys.put(guild.id, KeySource.HUGGING_FACE, "other", "Ada")

    assert await keys.get(guild.id) == SourceKeys(civitai="new", hugging_face="other")
    assert await keys.get(other_guild.id) == SourceKeys()
    assert not await keys.remove(other_guild.id, KeySource.CIVITAI, "Bob")
    assert await keys.remove(guild.id, KeySource.HUGGING_FACE, "Ada")
    assert await keys.get(guild.id) == SourceKeys(civitai="new")
    assert await keys.sources(guild.id) == {KeySource.CIVITAI}


async def test_no_key_lies_in_the_database(keys: SourceKeyStore, database: Database, guild: Guild) -> None:
    """Neither in its row nor in the log of who set it; a process with another key gets a sentence that says so."""
    await keys.put(guild.id, KeySource.CIVITAI, "hush-hush", "Ada")

    async with database.read() as connection:
        (row,) = (await connection.execute(select(source_keys))).all()
    (entry,) = await AuditLog(database).entries(guild.id)
    assert "hush" not in f"{row} {entry}"
    assert (entry.actor, entry.detail) == ("Ada", "civitai key set")
    with pytest.raises(UserError, match="LIMNER_KEY"):
        await SourceKeyStore(database, Encryption.from_keys(Fernet.generate_key().decode())).get(guild.id)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "x" * 513, "schlüssel"])
async def test_what_no_header_may_carry_is_no_key(keys: SourceKeyStore, guild: Guild, key: str) -> None:
    """Refused without being repeated."""
    with pytest.raises(InvalidRequest) as refused:
        await keys.put(guild.id, KeySource.CIVITAI, key, "Ada")
    assert not key or key not in str(refused.value)
    assert await keys.sources(guild.id) == frozenset()
