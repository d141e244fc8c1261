"""The route that a message takes: the status message, the channel, its thread, a direct message."""

import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.message_ids import MessageId
from bot.slack.rendering import SlackMessage
from bot.slack.routes import mention, post, put
from handlers.messages.chat_platform import Undeliverable
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.bot.slack.conftest import FakeClient

STATUS = MessageId(channel="C1", ts="1.1")
MESSAGE = SlackMessage(text="fox", blocks=[])


def _address(*, private: bool = False, thread_id: str | None = None) -> ReplyAddress:
    return ReplyAddress(
        platform=Platform.SLACK, channel_id="C1", user_id="U1", thread_id=thread_id, private=private, tenant="T1"
    )


@pytest.fixture
def client(client: FakeClient) -> FakeClient:
    client.answers["chat.postMessage"] = {"channel": "C?", "ts": "2.2"}
    client.answers["conversations.open"] = {"channel": {"id": "D1"}}
    return client


def _posts(client: FakeClient) -> list[tuple[str, str | None]]:
    return [(call["channel"], call.get("thread_ts")) for call in client.made("chat.postMessage")]


async def test_a_status_message_is_edited_in_place(client: FakeClient) -> None:
    """And nothing is posted."""
    assert await put(client, _address(), STATUS, MESSAGE) == STATUS

    assert [(call["channel"], call["ts"]) for call in client.made("chat.update")] == [("C1", "1.1")]
    assert _posts(client) == []


async def test_each_closed_route_leads_to_the_next(client: FakeClient) -> None:
    """The message that cannot be edited, the channel, the thread below the message, the member."""
    client.refusals["chat.update"] = ["edit_window_closed"]
    client.refusals["chat.postMessage"] = ["restricted_action_thread_only_channel", "restricted_action"]

    await put(client, _address(), STATUS, MESSAGE)

    assert _posts(client) == [("C1", None), ("C1", "1.1"), ("D1", None)]
    [*_, direct] = client.made("chat.postMessage")
    assert "/invite @Limner" in str(direct["blocks"])


async def test_a_private_message_is_for_the_member_alone(client: FakeClient) -> None:
    """Whatever is open elsewhere; where it was asked for, nothing needs to be explained."""
    await post(client, _address(private=True), MESSAGE)

    assert _posts(client) == [("D1", None)]
    assert "/invite" not in str(client.made("chat.postMessage"))


async def test_what_was_asked_in_a_thread_is_answered_there(client: FakeClient) -> None:
    """Not in the channel around it."""
    await post(client, _address(thread_id="0.9"), MESSAGE)

    assert _posts(client) == [("C1", "0.9")]


async def test_when_every_route_is_closed_the_message_is_undeliverable(client: FakeClient) -> None:
    """With Slack's own reason for the last."""
    client.refusals["chat.postMessage"] = ["is_archived"]
    client.refusals["conversations.open"] = ["user_disabled"]

    with pytest.raises(Undeliverable, match="user_disabled"):
        await post(client, _address(), MESSAGE)


async def test_another_error_is_no_closed_route(client: FakeClient) -> None:
    """A mistake of ours is not hidden by posting elsewhere."""
    client.refusals["chat.postMessage"] = ["invalid_arguments"]

    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await post(client, _address(), MESSAGE)
    assert _posts(client) == [("C1", None)]


@pytest.mark.parametrize(
    ("thread_id", "channel", "posts"),
    [(None, "C1", [("C1", "1.1")]), ("0.9", "C1", [("C1", "0.9")]), (None, "D1", [])],
)
async def test_a_mention_goes_below_the_message(
    client: FakeClient, thread_id: str | None, channel: str, posts: list[tuple[str, str]]
) -> None:
    """A direct message notifies anyway; a mention that fails costs nothing."""
    client.refusals["chat.postMessage"] = ["is_archived"]

    await mention(
        client, _address(thread_id=thread_id), MessageId(channel=channel, ts="1.1"), "your pictures are here."
    )

    assert _posts(client) == posts
