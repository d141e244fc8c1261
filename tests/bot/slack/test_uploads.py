"""Files go to the address that Slack gives for them, and appear where they are said to."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.slack.uploads import UploadRefused, Uploads
from handlers.messages.message import Attachment, ShownImage
from tests.bot.slack.conftest import FakeClient


@pytest.fixture
async def received(client: FakeClient) -> AsyncIterator[list[bytes]]:
    """What was sent to the address that the client's answers name."""
    bodies: list[bytes] = []

    async def receive(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/upload", receive)
    async with TestServer(app) as server:
        url = str(server.make_url("/upload"))
        client.answers["files.getUploadURLExternal"] = {"upload_url": url, "file_id": "F1"}
        yield bodies


@pytest.fixture
def uploads(client: FakeClient) -> Uploads:
    assert client.session is not None
    return Uploads(client.session)


async def test_an_image_is_uploaded_without_a_channel(
    client: FakeClient, uploads: Uploads, received: list[bytes]
) -> None:
    """With its words for those who cannot see it."""
    image = ShownImage(data=b"fox", file_name="fox.png", alt_text="a fox " * 1000)

    assert await uploads.upload(client, (image,)) == ("F1",)

    assert received == [b"fox"]
    [ticket] = client.made("files.getUploadURLExternal")
    assert (ticket["filename"], int(ticket["length"]), len(ticket["alt_txt"])) == ("fox.png", 3, 1000)
    [completed] = client.made("files.completeUploadExternal")
    assert completed["channel_id"] is None


async def test_other_files_are_shared_below_their_words(
    client: FakeClient, uploads: Uploads, received: list[bytes]
) -> None:
    """All of them in one message."""
    files = tuple(Attachment(data=name.encode(), file_name=name) for name in ("a.txt", "b.txt"))

    await uploads.share(client, "D1", "Your data", files)

    assert received == [b"a.txt", b"b.txt"]
    [shared] = client.made("files.completeUploadExternal")
    assert (shared["channel_id"], shared["initial_comment"]) == ("D1", "Your data")


async def test_nothing_to_upload_asks_nothing(client: FakeClient, uploads: Uploads) -> None:
    """Most messages show no image."""
    assert await uploads.upload(client, ()) == ()
    assert client.calls == []


@pytest.mark.parametrize(("kind", "is_ready"), [("image/png", True), ("", False)])
async def test_a_file_is_ready_once_slack_knows_its_kind(
    client: FakeClient, uploads: Uploads, kind: str, is_ready: bool
) -> None:
    """Asked a few times, and then left for later."""
    client.answers["files.info"] = {"file": {"mimetype": kind}}

    assert await uploads.ready(client, ("F1",)) is is_ready

    assert len(client.made("files.info")) == (1 if is_ready else 4)


async def test_bytes_that_slack_does_not_take_are_no_failure_of_the_network(
    client: FakeClient, uploads: Uploads
) -> None:
    """They are not sent again and again."""

    async def refuse(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=413)

    app = web.Application()
    app.router.add_post("/upload", refuse)
    async with TestServer(app) as server:
        url = str(server.make_url("/upload"))
        client.answers["files.getUploadURLExternal"] = {"upload_url": url, "file_id": "F1"}

        with pytest.raises(UploadRefused, match="413"):
            await uploads.upload(client, (ShownImage(data=b"fox", file_name="fox.png", alt_text="a fox"),))
