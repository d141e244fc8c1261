"""A guild's library of LoRAs, on every database."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.library.loras import LoraStore, NewLora, new_key
from tests.fakes import FakeClock


@pytest.fixture
def loras(database: Database) -> LoraStore:
    return LoraStore(database)


def _new(guild: Guild, name: str, **changes: Any) -> NewLora:
    fields: dict[str, Any] = {
        "guild_id": guild.id, "name": name, "owner_id": "ann", "base_family": ModelFamily.SDXL,
        "key": new_key(guild.id), "size": 1000,
    }  # fmt: skip
    return NewLora(**{**fields, **changes})


async def test_what_is_added_is_found_by_name_in_any_case(loras: LoraStore, guild: Guild, clock: FakeClock) -> None:
    """With everything that was said of it."""
    added = await loras.add(_new(guild, "crayon", scale=0.8, trigger_words="crayon drawing", metadata="from a file"))

    assert await loras.get(guild.id, "ann", " Crayon ") == added
    assert (added.scale, added.trigger_words, added.created_at) == (0.8, "crayon drawing", clock.now)
    assert await loras.get(guild.id, "ann", "chalk") is None


async def test_no_guild_finds_anothers(loras: LoraStore, guild: Guild, other_guild: Guild) -> None:
    """Neither by name, nor by search, nor by what it takes; both may use one name."""
    mine = await loras.add(_new(guild, "crayon"))

    assert await loras.get(other_guild.id, "ann", "crayon") is None
    assert await loras.search(other_guild.id, "ann") == ()
    assert await loras.used_bytes(other_guild.id) == 0
    assert await loras.with_key(other_guild.id, mine.key) is None
    as_theirs = replace(mine, guild_id=other_guild.id)
    assert not await loras.rename(as_theirs, "mine-now")
    assert not await loras.set_scale(as_theirs, 0.1)
    assert not await loras.set_private(as_theirs, True)
    assert not await loras.remove(as_theirs)
    theirs = await loras.add(_new(other_guild, "crayon"))
    assert theirs.key != mine.key
    assert await loras.get(guild.id, "ann", "crayon") == mine


async def test_search_is_by_any_part_of_a_name_in_pages(loras: LoraStore, guild: Guild) -> None:
    """What means something to a database's pattern is an ordinary letter here."""
    for number in range(30):
        await loras.add(_new(guild, f"style-{number:02}"))
    await loras.add(_new(guild, "a_b"))

    assert [lora.name for lora in await loras.search(guild.id, "ann", "STYLE-2")] == [
        f"style-{n}" for n in range(20, 30)
    ]
    assert len(await loras.search(guild.id, "ann")) == 25
    assert [lora.name for lora in await loras.search(guild.id, "ann", offset=29)] == ["style-28", "style-29"]
    assert [lora.name for lora in await loras.search(guild.id, "ann", "_")] == ["a_b"]
    assert await loras.search(guild.id, "ann", "%") == ()


async def test_names_are_unique_and_can_be_changed(loras: LoraStore, guild: Guild) -> None:
    """A name in use is refused in words, whether by adding or by renaming."""
    crayon = await loras.add(_new(guild, "crayon"))
    await loras.add(_new(guild, "chalk"))

    with pytest.raises(InvalidRequest, match="has a LoRA 'crayon' already"):
        await loras.add(_new(guild, "crayon"))
    with pytest.raises(InvalidRequest, match="has a LoRA 'chalk' already"):
        await loras.rename(crayon, "chalk")

    assert await loras.rename(crayon, "pastel")
    assert [lora.name for lora in await loras.search(guild.id, "ann")] == ["chalk", "pastel"]
    assert await loras.set_scale(crayon, -0.5)
    pastel = await loras.get(guild.id, "ann", "pastel")
    assert pastel is not None
    assert pastel.scale == -0.5


async def test_what_is_removed_takes_no_room(loras: LoraStore, guild: Guild) -> None:
    """And cannot be removed twice."""
    added = await loras.add(_new(guild, "crayon", size=7))
    await loras.add(_new(guild, "chalk", size=5))
    assert await loras.used_bytes(guild.id) == 12

    assert await loras.remove(added)
    assert not await loras.remove(added)
    assert await loras.used_bytes(guild.id) == 5


async def test_a_private_one_is_there_for_its_owner_alone(loras: LoraStore, guild: Guild) -> None:
    """Nobody else finds it, nor learns its name by being refused the same one; for its owner it comes first."""
    mine = await loras.add(_new(guild, "crayon", private=True))
    shared = await loras.add(_new(guild, "crayon", owner_id="bob"))

    assert await loras.get(guild.id, "ann", "crayon") == mine
    assert await loras.get(guild.id, "bob", "crayon") == shared
    assert await loras.search(guild.id, "bob") == (shared,)
    assert set(await loras.search(guild.id, "ann")) == {mine, shared}
    with pytest.raises(InvalidRequest, match="already"):
        await loras.set_private(mine, False)
    await loras.rename(mine, "pastel")
    assert await loras.set_private(mine, False)
    assert await loras.get(guild.id, "bob", "pastel") == replace(mine, name="pastel", private=False)


async def test_a_name_is_free_where_it_would_be_taken(loras: LoraStore, guild: Guild, other_guild: Guild) -> None:
    """In the guild for everyone's, in a member's own for a private one."""
    await loras.add(_new(guild, "crayon"))
    await loras.add(_new(guild, "mine", private=True))

    assert not await loras.is_free(guild.id, "bob", "crayon", private=False)
    assert await loras.is_free(guild.id, "bob", "crayon", private=True)
    assert await loras.is_free(guild.id, "bob", "mine", private=False)
    assert not await loras.is_free(guild.id, "ann", "mine", private=True)
    assert await loras.is_free(other_guild.id, "ann", "crayon", private=False)


@pytest.mark.parametrize("name", ["", "Crayon", "a b", "-a", "a" * 33, "a:b", "a>b", "é", "a/b"])
def test_a_name_must_stand_in_a_prompt(name: str) -> None:
    """And on a command line."""
    with pytest.raises(InvalidRequest, match="cannot be a LoRA's name"):
        NewLora(guild_id=1, name=name, owner_id="ann", base_family=ModelFamily.SDXL, key="k", size=1)
