"""Commands of two words in Slack: one slash command for the first word, the second is typed behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.registry import COMMANDS
from tests.brushes import LIST, LOAD
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import opened, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, on_stage, socket_settings
from tests.wire.slack.workspace import Workspace


@pytest.fixture
async def stage(slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    """Limner with a family of commands that no release has."""
    assert workspace.team_id in slack.workspaces
    async with on_stage(slack, socket_settings(slack, tmp_path), empty_sqlite, (*COMMANDS, LOAD, LIST)) as running:
        yield running


@pytest.mark.parametrize(
    ("command", "text", "words"),
    [
        ("/brush", "list", "No brushes yet"),
        ("/limner", "brush list", "No brushes yet"),
        ("/brush", "", "/brush load: Load a brush from a file"),
        ("/brush", "lisst", "did you mean /brush list?"),
    ],
)
async def test_an_action_stands_behind_its_family(ada: Someone, command: str, text: str, words: str) -> None:
    """Below the umbrella too; the family alone lists what there is, a slip names the nearest."""
    await ada.command(command, text)

    assert words in (await ada.sees(private_answer())).words


async def test_an_action_without_what_it_needs_opens_its_form(ada: Someone) -> None:
    """Its title is the whole name."""
    await ada.command("/brush", "load")

    view = await ada.sees(opened)
    assert view["title"]["text"] == "/brush load"


async def test_a_mention_may_name_an_action_and_else_is_a_prompt(ada: Someone) -> None:
    """A prompt that begins with the first word of a family stays a prompt."""
    await ada.mention("brush list")
    assert "No brushes yet" in (await ada.sees(private_answer())).words

    await ada.mention("brush strokes of a red fox")
    await ada.sees(lambda w: [m for m in w.in_channel("CGEN") if "brush strokes of a red fox" in m.words])
