"""Files that members attach to a form: looked up by their ids, and fetched from Slack's file host alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from handlers.registry import COMMANDS
from tests.brushes import LIST, LOAD
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import opened, private_answer
from tests.wire.slack.people import Acked, Someone
from tests.wire.slack.stage import Stage, on_stage, socket_settings
from tests.wire.slack.workspace import StoredFile, Workspace

DATA = b"\x89PNG" + bytes(700_000) + b"\xde\xad\xbe\xef"


@pytest.fixture
async def stage(slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path) -> AsyncIterator[Stage]:
    """Limner with a command that takes a file, of which a megabyte is taken."""
    assert workspace.team_id in slack.workspaces
    settings = socket_settings(slack, tmp_path, max_upload_mb=1)
    async with on_stage(slack, settings, empty_sqlite, (*COMMANDS, LOAD, LIST)) as running:
        yield running


async def _hand_over(ada: Someone, data: bytes = DATA, size: int | None = None, **changes: Any) -> Acked:
    """Open the form and submit it with a file that was put into it, whose `size` the form may tell."""
    said = {} if size is None else {"size": size}
    file = StoredFile(id="F1", name="soft.png", length=len(data), data=data, completed=True, looks_until_ready=0)
    for name, value in changes.items():
        setattr(file, name, value)
    ada.workspace.files[file.id] = file
    await ada.command("/brush", "load soft --tip flat")
    return await ada.submit(await ada.sees(opened), file=[{"id": file.id, "name": file.name, **said}])


async def test_a_command_that_needs_a_file_opens_its_form_with_the_rest(ada: Someone) -> None:
    """A file cannot be typed; what was typed stands in its fields."""
    await ada.command("/brush", "load soft --tip flat --file soft.png")

    view = await ada.sees(opened)
    fields = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
    assert fields["file"]["element"]["type"] == "file_input"
    assert not fields["file"]["optional"]
    assert fields["name"]["element"]["initial_value"] == "soft"
    assert fields["tip"]["element"]["initial_option"]["value"] == "flat"


async def test_a_mention_has_no_form_and_gets_a_button_for_one(ada: Someone) -> None:
    """Slack lets a form be opened only by a command or a click."""
    await ada.mention("brush load soft")
    message = await ada.sees(private_answer())
    assert "/brush load needs a file" in message.words

    await ada.click(message, "Open form")

    assert (await ada.sees(opened))["blocks"][0]["element"]["initial_value"] == "soft"


async def test_a_file_is_in_the_store_when_the_handler_is_called(ada: Someone, stage: Stage) -> None:
    """What the member put into the form, byte for byte."""
    acked = await _hand_over(ada)

    assert acked.payload == {}
    words = (await ada.sees(private_answer())).words
    assert f"soft is soft.png of {len(DATA)} bytes, deadbeef at its end" in words
    assert await stage.context.blobs.size() == len(DATA)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": bytes(2**20 + 1)}, "too large: 1.0 MB; at most 1 MB"),
        ({"size": 5 * 2**20}, "too large: 5.0 MB; at most 1 MB"),
        ({"is_external": True}, "only links to that file"),
        ({"name": "elsewhere.png"}, "does not give out that file (302)"),
        ({"data": b"  <!DOCTYPE html><html>Sign in</html>"}, "asked for a sign-in"),
        ({"mimetype": "text/html"}, "asked for a sign-in"),
        ({"completed": False}, "does not tell of that file (file_not_found)"),
    ],
    ids=["too large", "said to be", "external", "a redirect", "a page", "a page by its type", "gone"],
)
async def test_what_is_not_to_be_had_is_said_beside_the_field(
    ada: Someone, stage: Stage, changes: dict[str, Any], words: str
) -> None:
    """The form stays open, the token went nowhere else, nothing is kept."""
    acked = await _hand_over(ada, **changes)

    assert list(acked.payload["errors"]) == ["file"]
    assert words in acked.payload["errors"]["file"]
    assert await stage.context.blobs.size() == 0


async def test_a_form_without_its_file_is_refused_beside_the_field(ada: Someone) -> None:
    """Slack checks it too, but the check is not ours."""
    await ada.command("/brush", "load soft")

    acked = await ada.submit(await ada.sees(opened))

    assert "needs a file" in acked.payload["errors"]["file"]


async def test_nobody_is_asked_for_a_file_of_a_call_that_is_refused(ada: Someone, slack: FakeSlack) -> None:
    """Slack is not called for a mistake in another field, nor for a size that is too large."""
    await ada.command("/brush", "load soft")
    view = await ada.sees(opened)

    await ada.submit(view, file=[{"id": "F1", "name": "soft.png", "size": 2**30}])

    assert slack.called("files.info") == []


async def test_a_workspace_that_lacks_the_scope_learns_what_to_add(ada: Someone) -> None:
    """An older installation may lack the scope to read files."""
    ada.workspace.scopes -= {"files:read"}

    acked = await _hand_over(ada)

    assert "ask an admin to add files:read" in acked.payload["errors"]["file"]
