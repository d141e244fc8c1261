"""The guilds' sealed keys, on every database."""

from storage.database import Database
from storage.guilds import Guild
from storage.source_keys import KeySource, SourceKeyStore


async def test_a_guild_has_its_own_keys(database: Database, guild: Guild, other_guild: Guild) -> None:
    """One a source: a new one takes the old one's place; no other guild has it; what is removed is gone."""
    keys = SourceKeyStore(database)
    await keys.put(guild.id, KeySource.CIVITAI, "old")
    await keys.put(guild.id, KeySource.CIVITAI, "new")
    await keys.put(guild.id, KeySource.HUGGING_FACE, "other")

    assert await keys.get(guild.id) == {KeySource.CIVITAI: "new", KeySource.HUGGING_FACE: "other"}
    assert await keys.get(other_guild.id) == {}
    await keys.remove(other_guild.id, KeySource.CIVITAI)
    await keys.remove(guild.id, KeySource.HUGGING_FACE)
    assert await keys.get(guild.id) == {KeySource.CIVITAI: "new"}
