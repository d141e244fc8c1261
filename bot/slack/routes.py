"""The routes by which a message can reach the requester: status message, channel, thread, direct message."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.client import RateLimitedClient
from bot.slack.errors import SlackRefusal, code_of, refusal_of
from bot.slack.message_ids import MessageId
from bot.slack.rendering import SlackMessage, context
from handlers.messages.chat_platform import Undeliverable
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)


_ELSEWHERE: Final = (
    "This comes here because Limner could not write in the channel; type /invite @Limner there if it is no member."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """A conversation in which a message may be posted, in a thread or not."""

    channel: str
    thread_ts: str | None = None


async def put(
    client: RateLimitedClient, address: ReplyAddress, standing: MessageId | None, content: SlackMessage
) -> MessageId:
    """Edit the posted message, or post one by the first open route; returns its id.

    Raises Undeliverable when every route is closed, else what Slack or the network raises.
    """
    if standing is not None:
        try:
            await edit(client, address, standing, content)
        except SlackApiError as error:
            _raise_unless_closed(error)
        else:
            return standing
    return await post(client, address, content, standing)


async def post(
    client: RateLimitedClient, address: ReplyAddress, content: SlackMessage, standing: MessageId | None = None
) -> MessageId:
    """Post a message by the first open route; raises as `put` does."""
    closed: SlackApiError | None = None
    try:
        async for route in _routes(client, address, standing):
            try:
                answer = await client.chat_postMessage(
                    channel=route.channel,
                    thread_ts=route.thread_ts,
                    text=content.text,
                    blocks=_explained(content, route.channel, address).blocks,
                    unfurl_links=False,
                    unfurl_media=False,
                )
            except SlackApiError as error:
                _raise_unless_closed(error)
                closed = error
            else:
                return MessageId(channel=answer["channel"], ts=answer["ts"])
    except SlackApiError as error:
        _raise_unless_closed(error)
        closed = error
    why = code_of(closed) if closed is not None else "no way"
    raise Undeliverable(f"neither the channel nor a direct message is open: {why}")


async def edit(client: RateLimitedClient, address: ReplyAddress, standing: MessageId, content: SlackMessage) -> None:
    """Replace what a message says, text and blocks together."""
    blocks = _explained(content, standing.channel, address).blocks
    await client.chat_update(channel=standing.channel, ts=standing.ts, text=content.text, blocks=blocks)


async def mention(client: RateLimitedClient, address: ReplyAddress, place: MessageId, words: str) -> None:
    """Mention the requester, once, below the message; a direct message notifies anyway."""
    if place.channel.startswith("D"):
        return
    thread = address.thread_id or place.ts
    text = f"<@{address.user_id}> {words}"
    try:
        await client.chat_postMessage(channel=place.channel, thread_ts=thread, text=text, unfurl_links=False)
    except SlackApiError as error:
        # The images are posted; a failed mention is no reason to post them again.
        _log.warning("mention failed: %s", code_of(error))


async def _routes(
    client: RateLimitedClient, address: ReplyAddress, standing: MessageId | None
) -> AsyncIterator[_Route]:
    """The channel, then the thread below the status message, then a direct message."""
    if not address.private:
        yield _Route(channel=address.channel_id, thread_ts=address.thread_id)
        if standing is not None and standing.channel == address.channel_id and address.thread_id is None:
            yield _Route(channel=standing.channel, thread_ts=standing.ts)
    opened = await client.conversations_open(users=address.user_id)
    yield _Route(channel=opened["channel"]["id"])


def _explained(content: SlackMessage, channel: str, address: ReplyAddress) -> SlackMessage:
    """The content, with a note on why it is posted elsewhere than asked."""
    if address.private or channel == address.channel_id:
        return content
    return SlackMessage(text=content.text, blocks=[*content.blocks, context(_ELSEWHERE)])


def _raise_unless_closed(error: SlackApiError) -> None:
    if refusal_of(error) is not SlackRefusal.CLOSED:
        raise error
