"""The application commands that Discord gets: types, ranges, languages, groups; and errors of ours."""

import discord
import pytest

from handlers.registry import COMMANDS
from storage.queue.job_queue import JobQueue
from tests.bot.discord.conftest import World, published, words


async def test_every_command_is_registered_from_its_description() -> None:
    """Names, options and admins' commands come from `handlers`; nothing is described twice."""
    names = {command.name for command in COMMANDS}
    assert {"imagine", "queue", "cancel", "history", "help", "privacy", "settings"} <= names


async def test_the_tree_carries_types_ranges_choices_and_other_languages(world: World) -> None:
    """What Discord checks for us it is told: ranges, choices, who may, in which contexts, in which language."""
    payloads = {command["name"]: command for command in published(world)}
    imagine = payloads["imagine"]
    options = {option["name"]: option for option in imagine["options"]}

    assert imagine["options"][0]["name"] == "prompt"
    assert (options["count"]["min_value"], options["count"]["max_value"]) == (1, 4)
    assert [choice["value"] for choice in options["aspect"]["choices"]][:2] == ["1:1", "4:3"]
    assert options["advanced"]["type"] == discord.AppCommandOptionType.boolean.value
    assert len(imagine["options"]) <= 25
    assert imagine["integration_types"] == [0]
    assert imagine["contexts"] == [0, 1]
    assert imagine["name_localizations"]["de"] == "bild"
    assert payloads["settings"]["default_member_permissions"] == discord.Permissions(manage_guild=True).value
    assert payloads["Picture info"]["type"] == discord.AppCommandType.message.value


async def test_an_error_of_ours_is_one_sentence_with_a_number(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stack trace for members; the number finds it in the log."""
    monkeypatch.setattr(JobQueue, "member_jobs", None)

    result = await world.ada.slash(world.channel, "queue")

    said = [message for message in (result.response, *result.followups) if message is not None]
    assert "was noted as" in words(said[-1])
    number = words(said[-1]).split("noted as ")[1].split(";")[0]
    assert number in caplog.text
    world.expected_errors = 1


async def test_a_group_is_a_group_with_its_actions(brush_world: World) -> None:
    """Each with its own description and options, the required ones first; the group says where it may be used."""
    [group] = [command for command in published(brush_world) if command["name"] == "brush"]
    load, list_ = group["options"]

    assert (group["integration_types"], group["contexts"]) == ([0], [0, 1])
    assert group["default_member_permissions"] is None
    assert {part["type"] for part in (load, list_)} == {discord.AppCommandOptionType.subcommand.value}
    assert (load["name"], load["description"]) == ("load", "Load a brush from a file")
    assert [option["name"] for option in load["options"]] == ["file", "name", "tip"]
    assert load["options"][0]["required"]
    assert load["options"][0]["type"] == discord.AppCommandOptionType.attachment.value


async def test_an_action_answers_as_any_command(brush_world: World) -> None:
    """By both of its words."""
    result = await brush_world.ada.slash(brush_world.channel, "brush list")

    assert result.response is not None
    assert result.ephemeral
    assert "No brushes yet" in words(result.response)
