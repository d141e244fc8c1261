"""The names of commands in Slack: an admin chooses them, and our own words follow."""

import pytest

from bot.slack.command_names import CommandNames
from handlers.registry import COMMANDS
from pipeline.errors import UserError
from tests.brushes import LIST, LOAD


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


def test_actions_are_spelled_as_they_are_typed() -> None:
    """The longest name first, so that a group's name does not hide its actions."""
    commands = (*COMMANDS, LOAD, LIST)
    names = CommandNames.parse("img-", "", commands)

    assert names.spell("/brush load soft, then /brush list or /brush", commands) == (
        "/img-brush load soft, then /img-brush list or /img-brush"
    )
