"""A call waits for its click or form, on every database."""

import pytest

from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.pending_calls import ChosenFile, SavedCall, SavedCalls
from tests.fakes import FakeClock


@pytest.fixture
def calls(database: Database) -> SavedCalls:
    return SavedCalls(database)


async def test_a_call_comes_back_whole_to_its_guild_alone(calls: SavedCalls, guild: Guild, other_guild: Guild) -> None:
    """Values in their order, and where its file is."""
    file = ChosenFile(option="image", name="füchse.png", size=42, place="https://example.org/1")

    call_id = await calls.save(guild.id, "ann", "edit", {"prompt": "fox", "count": "2"}, file)

    assert await calls.get(guild.id, call_id) == SavedCall(
        id=call_id, guild_id=guild.id, member_id="ann", command="edit",
        values=(("prompt", "fox"), ("count", "2")), file=file,
    )  # fmt: skip
    assert await calls.get(other_guild.id, call_id) is None


async def test_old_calls_are_deleted(calls: SavedCalls, guild: Guild, clock: FakeClock) -> None:
    """A form that nobody came back to is not kept."""
    old = await calls.save(guild.id, "ann", "imagine", {})
    clock.advance(60)
    young = await calls.save(guild.id, "ann", "imagine", {})

    await calls.delete_old(60)

    assert await calls.get(guild.id, old) is None
    assert await calls.get(guild.id, young) is not None


async def test_a_members_call_is_found_without_its_guild(calls: SavedCalls, guild: Guild) -> None:
    """A form that is filled in direct messages knows no guild; another member finds nothing."""
    call_id = await calls.save(guild.id, "ann", "imagine", {})

    assert await calls.guild_of(call_id, "ann") == guild.id
    assert await calls.guild_of(call_id, "eve") is None
    assert await calls.guild_of(call_id + 1, "ann") is None
