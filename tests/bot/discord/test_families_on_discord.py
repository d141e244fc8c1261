"""Commands of two words on Discord: a group for the first, a subcommand for the second."""

from collections.abc import AsyncIterator

import discord
import pytest

from handlers.studio import Studio
from tests.bot.discord.conftest import World, published, simulation, words
from tests.brushes import with_brushes
from tests.fakes import FakeClock


@pytest.fixture
async def world(studio: Studio, clock: FakeClock) -> AsyncIterator[World]:
    async with simulation(with_brushes(studio), clock) as world:
        yield world


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
