"""The manifest for Slack, held to Slack's own schema; the names that an admin may give to commands."""

import json
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from bot.slack.manifest import manifest
from bot.slack.names import CommandNames
from handlers.commands import COMMANDS
from pipeline.errors import UserError
from tests.brushes import LIST, LOAD
from tests.wire.slack.specification import SPECS, require_specifications

NAMES = CommandNames()


@pytest.fixture
def schema() -> dict[str, Any]:
    """Slack's schema of a manifest of the version that we write; what it refers to is read from beside it."""
    require_specifications()
    found: dict[str, Any] = json.loads((SPECS / "manifest-schema/schemas/manifest.schema.1.0.0.json").read_text())
    return found


@pytest.mark.parametrize("url", [None, "https://limner.example.org"])
def test_a_manifest_satisfies_slacks_own_schema(schema: dict[str, Any], url: str | None) -> None:
    """For Socket Mode and for signed requests."""
    made = manifest(COMMANDS, NAMES, url)
    registry: Registry[Any] = Registry().with_resource("", Resource.from_contents(schema))

    jsonschema.validators.validator_for(schema)(schema, registry=registry).validate(made)
    assert made["settings"]["socket_mode_enabled"] == (url is None)


def test_a_manifest_that_slack_would_refuse_does_not_pass(schema: dict[str, Any]) -> None:
    """The schema is a judge: a command without its slash is found."""
    made = manifest(COMMANDS, NAMES)
    made["features"]["slash_commands"][0]["command"] = "imagine"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema)


def test_housekeeping_is_below_the_umbrella_alone() -> None:
    """Other apps have a /queue too."""
    commands = {entry["command"] for entry in manifest(COMMANDS, NAMES)["features"]["slash_commands"]}

    assert {"/imagine", "/limner"} <= commands
    assert not {"/queue", "/help", "/settings"} & commands


def test_an_admin_chooses_other_names() -> None:
    """A prefix for all, a name for one; our own words follow."""
    names = CommandNames.parse("img-", "limner=studio", COMMANDS)

    assert names.slash("imagine") == "/img-imagine"
    spelled = names.spell("Try /imagine again; /queue lists yours, see a/queue and https://x.org/queue.", COMMANDS)
    assert spelled == "Try /img-imagine again; /studio queue lists yours, see a/queue and https://x.org/queue."


@pytest.mark.parametrize(
    ("prefix", "pairs", "words"),
    [
        ("", "imagin=draw", "it can rename"),
        ("", "imagine=Draw!", "no name for a Slack command"),
        ("", "imagine=limner", "one name"),
        ("x" * 40, "", "no name for a Slack command"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_a_sentence(prefix: str, pairs: str, words: str) -> None:
    """At the start, not when the first member types."""
    with pytest.raises(UserError, match=words):
        CommandNames.parse(prefix, pairs, COMMANDS)


def test_a_family_is_one_command_with_its_actions_as_a_hint() -> None:
    """Its actions are spelled as they are typed there, the longest name first."""
    commands = (*COMMANDS, LOAD, LIST)
    names = CommandNames.parse("img-", "", commands)
    entries = {entry["command"]: entry for entry in manifest(commands, names)["features"]["slash_commands"]}

    assert entries["/img-brush"]["usage_hint"] == "load | list"
    assert entries["/img-brush"]["description"] == "load, list"
    assert " | brush" in entries["/limner"]["usage_hint"]
    assert "/img-brush load" not in entries
    assert names.spell("/brush load soft, then /brush list or /brush", commands) == (
        "/img-brush load soft, then /img-brush list or /img-brush"
    )
