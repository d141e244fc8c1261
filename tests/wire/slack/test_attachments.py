"""Files that members attach: only from Slack's own host, to which alone the token goes, and only images."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.attachments import Attachments
from pipeline.errors import UserError
from pipeline.requests.control import ControlKind
from storage.blobs import FileBlobStore
from tests.fakes import png, request
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import finished, opened
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage
from tests.wire.slack.workspace import StoredFile, Workspace, new_ts


@pytest.fixture
async def attachments(slack: FakeSlack) -> AsyncIterator[Attachments]:
    async with aiohttp.ClientSession() as session:
        yield Attachments(session=session, origin=slack.origin)


def stored(slack: FakeSlack, workspace: Workspace, data: bytes, **changes: Any) -> dict[str, Any]:
    """A file in the workspace, as `files.info` describes it."""
    file = StoredFile(id="F1", name="photo.png", length=len(data), data=data, completed=True, looks_until_ready=0)
    for name, value in changes.items():
        setattr(file, name, value)
    workspace.files[file.id] = file
    url = f"{slack.origin}/files-pri/{workspace.team_id}/{file.id}/{file.name}"
    return {"id": file.id, "size": file.length, "mode": "hosted", "is_external": file.is_external, "url_private": url}


def image() -> bytes:
    return png(request())


async def fetched(attachments: Attachments, file: dict[str, Any], token: str) -> bytes:
    return b"".join([chunk async for chunk in attachments.chunks(file, token)])


async def test_an_image_comes_with_the_workspaces_token(
    slack: FakeSlack, workspace: Workspace, attachments: Attachments
) -> None:
    """What a member uploaded, byte for byte."""
    data = image()

    assert await fetched(attachments, stored(slack, workspace, data), workspace.token) == data


@pytest.mark.parametrize(
    "url", ["https://evil.example.org/a.png", "https://files.slack.com.evil.org/a.png", "file:///x"]
)
async def test_the_token_goes_to_no_other_host(
    slack: FakeSlack, workspace: Workspace, attachments: Attachments, url: str
) -> None:
    """The address of a file can be a member's own choice."""
    file = stored(slack, workspace, image()) | {"url_private": url}

    with pytest.raises(UserError, match="does not lie with Slack"):
        await fetched(attachments, file, workspace.token)


async def test_an_external_file_is_refused(slack: FakeSlack, workspace: Workspace, attachments: Attachments) -> None:
    """Slack only links to it: the member who added it chose the address."""
    with pytest.raises(UserError, match="only links"):
        await fetched(attachments, stored(slack, workspace, image(), is_external=True), workspace.token)


async def test_a_redirect_is_not_followed(slack: FakeSlack, workspace: Workspace, attachments: Attachments) -> None:
    """It would take the token along."""
    with pytest.raises(UserError, match="does not give out that file"):
        await fetched(attachments, stored(slack, workspace, image(), name="elsewhere.png"), workspace.token)


async def test_a_page_that_asks_to_sign_in_is_no_image(
    slack: FakeSlack, workspace: Workspace, attachments: Attachments
) -> None:
    """Without files:read Slack answers 200 and HTML."""
    with pytest.raises(UserError, match="files:read"):
        await fetched(attachments, stored(slack, workspace, image()), "xoxb-wrong")


async def test_a_size_that_was_understated_is_found_while_reading(
    slack: FakeSlack, workspace: Workspace, attachments: Attachments, tmp_path: Path
) -> None:
    """What Slack says of a file does not decide how much is read, and nothing of it is kept."""
    stored(slack, workspace, bytes(3 * 2**20))
    client, blobs = AsyncWebClient(workspace.token, base_url=slack.api_base), FileBlobStore(tmp_path)

    with pytest.raises(UserError, match="too large"):
        await attachments.offered({"id": "F1", "name": "fox.png", "size": 10}, client).take(blobs, 2**20)

    assert await blobs.size() == 0


async def test_use_this_image_opens_the_form_as_it_was_made(ada: Someone) -> None:
    """The shortcut on a message of ours: its parameters stand in the form."""
    await ada.command("/imagine", "red fox --seed 7")
    message = await ada.sees(finished)
    payload = {"type": "message", "user": "UB001", "ts": message.ts, "text": message.text, "blocks": message.blocks}

    await ada.use_shortcut("use-picture", payload)

    view = await ada.sees(lambda w: (view := opened(w)) and view.get("submit") and view)
    fields = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
    assert fields["prompt"]["initial_value"] == "red fox"
    assert fields["seed"]["initial_value"] == "7"
    await ada.submit(view, prompt="blue fox")
    await ada.sees(lambda w: [m for m in w.in_channel("CGEN") if "blue fox" in m.words and m.images])


@pytest.mark.parametrize("shortcut", ["use-picture", "start-with-picture"])
async def test_an_image_of_ones_own_is_drawn_over(ada: Someone, slack: FakeSlack, stage: Stage, shortcut: str) -> None:
    """The form of /edit does not ask for the image, which is the one in the message."""
    plain = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(plain, "PNG")
    stored(slack, ada.workspace, plain.getvalue())
    payload = {"type": "message", "ts": new_ts(), "text": "", "files": [{"id": "F1"}]}

    await ada.use_shortcut(shortcut, payload)
    view = await ada.sees(lambda w: (view := opened(w)) and view.get("submit") and view)
    assert "image" not in [block.get("block_id") for block in view["blocks"]]
    await ada.submit(view, prompt="a blue fox")

    await ada.sees(lambda w: [m for m in w.in_channel("CGEN") if "a blue fox" in m.words and m.images])
    start = stage.device.submitted[-1].request.start
    assert start is not None
    with Image.open(io.BytesIO(await stage.context.blobs.get(start.image))) as kept:
        assert kept.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


async def test_an_image_is_followed_in_the_kind_that_the_form_names(
    ada: Someone, slack: FakeSlack, stage: Stage
) -> None:
    """One form serves all of /control; the image is the one in the message."""
    plain = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(plain, "PNG")
    stored(slack, ada.workspace, plain.getvalue())

    await ada.use_shortcut("follow-picture", {"type": "message", "ts": new_ts(), "text": "", "files": [{"id": "F1"}]})
    view = await ada.sees(lambda w: (view := opened(w)) and view.get("submit") and view)
    await ada.submit(view, kind="depth", prompt="a blue fox", preview="off")

    await ada.sees(lambda w: [m for m in w.in_channel("CGEN") if "a blue fox" in m.words and m.images])
    [use] = stage.device.submitted[-1].request.controls
    assert use.kind is ControlKind.DEPTH


async def test_a_file_that_is_no_image_gets_a_sentence_beside_the_form(
    ada: Someone, slack: FakeSlack, stage: Stage
) -> None:
    """It is looked at when the form comes back, and nothing is queued."""
    stored(slack, ada.workspace, b"words")
    payload = {"type": "message", "ts": new_ts(), "text": "", "files": [{"id": "F1"}]}
    await ada.use_shortcut("start-with-picture", payload)

    acked = await ada.submit(await ada.sees(opened), prompt="a blue fox")

    assert acked.payload["response_action"] == "errors"
    assert stage.device.submitted == []


@pytest.mark.parametrize("shortcut", ["use-picture", "start-with-picture"])
async def test_a_message_without_an_image_says_so(ada: Someone, shortcut: str) -> None:
    """Not every message has one."""
    await ada.use_shortcut(shortcut, {"type": "message", "ts": new_ts(), "text": "hello"})

    await ada.sees(lambda w: "no picture in that message" in str(opened(w)))
