"""Puts a message where its reader will see it: the status message, the channel, a thread, a direct message."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.client import PacedClient
from bot.slack.errors import Trouble, code_of, trouble_of
from bot.slack.message_ids import MessageRef
from bot.slack.rendering import Content, context
from handlers.messages.chat_platform import Undeliverable
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)


_ELSEWHERE: Final = (
    "This comes here because Limner could not write in the channel; type /invite @Limner there if it is no member."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A conversation in which a message may be posted, as an answer in a thread or not."""

    channel: str
    thread_ts: str | None = None


async def put(client: PacedClient, address: ReplyAddress, standing: MessageRef | None, content: Content) -> MessageRef:
    """Edit the message that stands, or post one by the first way that is open; returns where it is.

    Raises Undeliverable when every way is closed, else what Slack or the network raises.
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
    client: PacedClient, address: ReplyAddress, content: Content, standing: MessageRef | None = None
) -> MessageRef:
    """Post a message by the first way that is open; raises as `put` does."""
    closed: SlackApiError | None = None
    try:
        async for way in _ways(client, address, standing):
            try:
                answer = await client.chat_postMessage(
                    channel=way.channel,
                    thread_ts=way.thread_ts,
                    text=content.text,
                    blocks=_explained(content, way.channel, address).blocks,
                    unfurl_links=False,
                    unfurl_media=False,
                )
            except SlackApiError as error:
                _raise_unless_closed(error)
                closed = error
            else:
                return MessageRef(channel=answer["channel"], ts=answer["ts"])
    except SlackApiError as error:
        _raise_unless_closed(error)
        closed = error
    why = code_of(closed) if closed is not None else "no way"
    raise Undeliverable(f"neither the channel nor a direct message is open: {why}")


async def edit(client: PacedClient, address: ReplyAddress, standing: MessageRef, content: Content) -> None:
    """Replace what a message says, text and blocks together."""
    blocks = _explained(content, standing.channel, address).blocks
    await client.chat_update(channel=standing.channel, ts=standing.ts, text=content.text, blocks=blocks)


async def mention(client: PacedClient, address: ReplyAddress, place: MessageRef, words: str) -> None:
    """Tell the one who asked, once, under the message; in a direct message it is seen anyway."""
    if place.channel.startswith("D"):
        return
    thread = address.thread_id or place.ts
    text = f"<@{address.user_id}> {words}"
    try:
        await client.chat_postMessage(channel=place.channel, thread_ts=thread, text=text, unfurl_links=False)
    except SlackApiError as error:
        # The pictures are there; that nobody was called is no reason to post them again.
        _log.warning("mention failed: %s", code_of(error))


async def _ways(client: PacedClient, address: ReplyAddress, standing: MessageRef | None) -> AsyncIterator[_Way]:
    """The channel, then the thread below the status message, then a direct message."""
    if not address.private:
        yield _Way(channel=address.channel_id, thread_ts=address.thread_id)
        if standing is not None and standing.channel == address.channel_id and address.thread_id is None:
            yield _Way(channel=standing.channel, thread_ts=standing.ts)
    opened = await client.conversations_open(users=address.user_id)
    yield _Way(channel=opened["channel"]["id"])


def _explained(content: Content, channel: str, address: ReplyAddress) -> Content:
    """The content, with a word on why it comes where nobody asked for it."""
    if address.private or channel == address.channel_id:
        return content
    return Content(text=content.text, blocks=[*content.blocks, context(_ELSEWHERE)])


def _raise_unless_closed(error: SlackApiError) -> None:
    if trouble_of(error) is not Trouble.CLOSED:
        raise error
