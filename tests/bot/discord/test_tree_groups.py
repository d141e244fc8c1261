"""Commands of two words on Discord: a group for the first, a subcommand for the second."""

from collections.abc import AsyncIterator

import discord
import pytest

from bot.discord import attachments
from handlers.context.context import AppContext
from tests.bot.discord.conftest import World, published, simulation, words
from tests.brushes import with_brushes
from tests.fakes import FakeClock


@pytest.fixture
async def world(context: AppContext, clock: FakeClock) -> AsyncIterator[World]:
    async with simulation(with_brushes(context), clock) as world:
        yield world


@pytest.fixture
def simulated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files lie on the simulation's server instead of Discord's."""
    monkeypatch.setattr(attachments, "HOSTS", {"cdn.simcord.invalid"})


async def test_a_family_is_a_group_with_its_actions(world: World) -> None:
    """Each with its own description and options, the required ones first; the group says where it may be used."""
    [group] = [command for command in published(world) if command["name"] == "brush"]
    load, list_ = group["options"]

    assert (group["integration_types"], group["contexts"]) == ([0], [0, 1])
    assert group["default_member_permissions"] is None
    assert {part["type"] for part in (load, list_)} == {discord.AppCommandOptionType.subcommand.value}
    assert (load["name"], load["description"]) == ("load", "Load a brush from a file")
    assert [option["name"] for option in load["options"]] == ["file", "name", "tip"]
    assert load["options"][0]["required"]
    assert load["options"][0]["type"] == discord.AppCommandOptionType.attachment.value


async def test_an_action_answers_as_any_command(world: World) -> None:
    """By both of its words."""
    result = await world.ada.slash(world.channel, "brush list")

    assert result.response is not None
    assert result.ephemeral
    assert "No brushes yet" in words(result.response)


async def _load(world: World, data: bytes) -> str:
    result = await world.ada.slash(world.channel, "brush load", name="soft --tip flat", file=("soft.png", data))
    assert result.response is not None
    assert result.ephemeral
    return words(result.response)


@pytest.mark.usefixtures("simulated_files")
async def test_a_file_is_in_the_store_when_the_handler_is_called(world: World) -> None:
    """What the member attached, byte for byte, with the flags that were typed behind the name."""
    said = await _load(world, b"a brush \xde\xad\xbe\xef")

    assert "soft is soft.png of 12 bytes, deadbeef at its end" in said
    assert await world.context.blobs.size() == 12


@pytest.mark.usefixtures("simulated_files")
async def test_a_file_that_is_too_large_is_not_fetched(world: World) -> None:
    """Discord says how large it is; the limit is the installation's."""
    said = await _load(world, bytes(world.context.max_upload_bytes + 2**20))

    assert "too large: 2.0 MB; at most 1 MB" in said
    assert await world.context.blobs.size() == 0


async def test_a_file_that_lies_elsewhere_is_not_fetched(world: World) -> None:
    """Only Discord's own file servers are asked, whatever a payload says."""
    assert "does not lie with Discord" in await _load(world, b"a brush")
    assert await world.context.blobs.size() == 0
