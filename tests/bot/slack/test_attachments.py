"""Files that members attach: no token leaves for another host than Slack's."""

import aiohttp
import pytest

from bot.slack.attachments import Attachments
from pipeline.errors import UserError
from tests.bot.slack.conftest import FakeClient


async def test_slacks_own_host_is_the_only_one_by_default() -> None:
    """Not http, no other port, no user in front."""
    async with aiohttp.ClientSession() as session:
        attachments = Attachments(session=session)
        for url in ("http://files.slack.com/a", "https://files.slack.com:444/a", "https://files.slack.com@evil.org/a"):
            with pytest.raises(UserError, match="does not lie with Slack"):
                await anext(attachments.chunks({"url_private": url}, "xoxb"))


async def test_a_file_is_asked_for_when_it_is_fetched(client: FakeClient) -> None:
    """Not before: its form may never come back. Where Slack refuses, an admin learns what to add."""
    assert client.session is not None
    client.refusals["files.info"] = ["missing_scope"]
    file = Attachments(session=client.session).offered({"id": "F1", "name": "fox.png", "size": 9}, client)
    assert (file.name, file.size, client.calls) == ("fox.png", 9, [])

    with pytest.raises(UserError, match="add files:read"):
        _ = [chunk async for chunk in file.chunks()]

    assert [call["file"] for call in client.made("files.info")] == ["F1"]
