"""The routes by which a message can reach the requester: status message, channel, thread, direct message."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.client import RateLimitedClient
from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import FAULTS, reason_of, refusal_of
from bot.slack.message_ids import MessageId
from bot.slack.rendering import SlackMessage, context, section, unescaped
from handlers.messages.chat_platform import Undeliverable
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)


_ELSEWHERE: Final = (
    "This comes here because Limner could not write in the channel; type /invite @Limner there if it is no member."
)
_NO_FILES_THERE: Final = "This comes here because the channel takes no files from Limner."
_DIRECTLY: Final = "It came to you in a direct message."
_BELOW: Final = "It is in the thread below."
_NEXT: Final = (SlackRefusal.CLOSED, SlackRefusal.NO_FILES)
"""What one conversation refuses and another may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """A conversation in which a message may be posted, in a thread or not."""

    channel: str
    thread_ts: str | None = None


async def put(
    client: RateLimitedClient, address: ReplyAddress, standing: MessageId | None, content: SlackMessage
) -> MessageId:
    """Edit the posted message, or post one by the first route that takes it and clear that away; returns its id.

    Raises Undeliverable when every route is closed, else what Slack or the network raises.
    """
    refused = None
    if standing is not None:
        try:
            await edit(client, address, standing, content)
        except SlackApiError as error:
            refused = _passed_over(error)
        else:
            return standing
    return await post(client, address, content, standing, refused)


async def post(
    client: RateLimitedClient, address: ReplyAddress, content: SlackMessage, standing: MessageId | None = None,
    refused: SlackApiError | None = None,
) -> MessageId:  # fmt: skip
    """Post a message by the first route that takes it, after one that `refused`; raises as `put` does."""
    try:
        async for route in _routes(client, address, standing):
            note = _NO_FILES_THERE if _lacks_files(refused) else _ELSEWHERE
            try:
                answer = await client.chat_postMessage(
                    channel=route.channel,
                    thread_ts=route.thread_ts,
                    text=content.text,
                    blocks=_explained(content, route.channel, address, note).blocks,
                    unfurl_links=False,
                    unfurl_media=False,
                )
            except SlackApiError as error:
                closed = _passed_over(error)
                refused = refused if _lacks_files(refused) else closed
            else:
                if standing is not None:
                    await _clear(client, standing, route, content.text)
                return MessageId(channel=answer["channel"], ts=answer["ts"])
    except SlackApiError as error:
        closed = _passed_over(error)
        refused = refused if _lacks_files(refused) else closed
    if refused is not None and _lacks_files(refused):
        raise refused
    why = reason_of(refused) if refused is not None else "no way"
    raise Undeliverable(f"neither the channel nor a direct message is open: {why}")


async def edit(client: RateLimitedClient, address: ReplyAddress, standing: MessageId, content: SlackMessage) -> None:
    """Replace what a message says, text and blocks together."""
    blocks = _explained(content, standing.channel, address, _ELSEWHERE).blocks
    await client.chat_update(channel=standing.channel, ts=standing.ts, text=content.text, blocks=blocks)


async def mention(client: RateLimitedClient, address: ReplyAddress, place: MessageId, words: str) -> None:
    """Mention the requester, once, below the message; a direct message notifies anyway."""
    if place.channel.startswith("D"):
        return
    thread = address.thread_id or place.ts
    text = f"<@{address.user_id}> {words}"
    try:
        await client.chat_postMessage(channel=place.channel, thread_ts=thread, text=text, unfurl_links=False)
    except FAULTS as error:
        # The images are posted; a failed mention is no reason to post them again.
        _log.warning("mention failed: %s", reason_of(error))


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


async def _clear(client: RateLimitedClient, standing: MessageId, route: _Route, text: str) -> None:
    """Leave no button on the status message of a result that came by `route`; what cannot be done is logged."""
    headline = text.partition("\n")[0]
    words = _BELOW if route.thread_ts == standing.ts else _DIRECTLY
    if route.channel != standing.channel or route.thread_ts == standing.ts:
        try:
            blocks = [section(unescaped(headline)), section(words)]
            await client.chat_update(channel=standing.channel, ts=standing.ts, text=headline, blocks=blocks)
        except FAULTS as error:
            _log.info("a status message could not be edited: %s", reason_of(error))
        else:
            return
    try:
        await client.chat_delete(channel=standing.channel, ts=standing.ts)
    except FAULTS as error:
        _log.info("a status message stays: %s", reason_of(error))


def _explained(content: SlackMessage, channel: str, address: ReplyAddress, note: str) -> SlackMessage:
    """The content, with a note on why it is posted elsewhere than asked."""
    if address.private or channel == address.channel_id:
        return content
    return SlackMessage(text=content.text, blocks=[*content.blocks, context(note)])


def _passed_over(error: SlackApiError) -> SlackApiError:
    """The error, if another route may be open."""
    if refusal_of(error) not in _NEXT:
        raise error
    return error


def _lacks_files(refused: SlackApiError | None) -> bool:
    return refused is not None and refusal_of(refused) is SlackRefusal.NO_FILES
