"""The manifest for Slack, held to Slack's rules."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from bot.slack.command_names import CommandNames
from bot.slack.manifest import manifest
from handlers.registry import COMMANDS
from tests.brushes import LIST, LOAD
from tests.wire.slack.manifest_schema import MANIFEST

NAMES = CommandNames()


@pytest.mark.parametrize("url", [None, "https://limner.example.org"])
def test_a_manifest_satisfies_slacks_rules(url: str | None) -> None:
    """For Socket Mode and for signed requests."""
    made = manifest(COMMANDS, NAMES, url)

    Draft202012Validator(MANIFEST).validate(made)
    assert made["settings"]["socket_mode_enabled"] == (url is None)


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("features.slash_commands.0", "command", "imagine"),
        ("features.slash_commands.0", "description", ""),
        ("features.slash_commands.0", "mood", "good"),
        ("features.shortcuts.0", "name", "x" * 25),
        ("features.bot_user", "display_name", "x" * 81),
        ("display_information", "background_color", "navy"),
        ("settings.interactivity", "request_url", "limner.example.org"),
        ("settings.event_subscriptions", "bot_events", ["app_mention", "app_mention"]),
    ],
)
def test_a_manifest_that_slack_would_refuse_is_found(place: str, name: str, value: object) -> None:
    """The schema is a judge: a command without its slash, a text of the wrong length, a field that there is not."""
    made: Any = manifest(COMMANDS, NAMES)
    part = made
    for step in place.split("."):
        part = part[int(step) if step.isdigit() else step]
    part[name] = value

    with pytest.raises(ValidationError):
        Draft202012Validator(MANIFEST).validate(made)


def test_housekeeping_is_below_the_umbrella_alone() -> None:
    """Other apps have a /queue too."""
    commands = {entry["command"] for entry in manifest(COMMANDS, NAMES)["features"]["slash_commands"]}

    assert {"/imagine", "/limner"} <= commands
    assert not {"/queue", "/help", "/settings"} & commands


def test_a_group_is_one_command_with_its_actions_as_a_hint() -> None:
    """Slack lists the group once, below its own name or the umbrella."""
    commands = (*COMMANDS, LOAD, LIST)
    names = CommandNames.parse("img-", "", commands)
    entries = {entry["command"]: entry for entry in manifest(commands, names)["features"]["slash_commands"]}

    assert entries["/img-brush"]["usage_hint"] == "load | list"
    assert entries["/img-brush"]["description"] == "load, list"
    assert " | brush" in entries["/limner"]["usage_hint"]
    assert "/img-brush load" not in entries
