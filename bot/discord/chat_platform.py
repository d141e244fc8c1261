"""Discord's side of delivery: progress in place, and a result that always arrives."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import discord

from bot.discord.auth_status import REVOKED, AuthStatus
from bot.discord.errors import FAULTS, Refusal, later_seconds, refusal
from bot.discord.message_ids import posted_text
from bot.discord.rendering import render, render_legacy, snowflake
from bot.discord.routes import Way, Ways
from bot.discord.uploads import pack
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message, ShownImage
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)

_OLD: Final = timedelta(hours=1)
_SECONDS_BETWEEN_OLD_EDITS: Final = 300.0
"""Discord lets messages of more than an hour be edited very seldom (error 30046)."""

_REMEMBERED: Final = 2000
_CLOSED_SECONDS: Final = 10.0


class _Closed(Exception):
    """No way of those that were tried is open."""


@dataclass(slots=True)
class _Status:
    """What this process did to a status message; the lock keeps an edit from overtaking the final one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    settled: bool = False
    edited_at: float = float("-inf")


@dataclass(slots=True, kw_only=True)
class DiscordPlatform:
    """Posts and edits messages by whatever way still works."""

    ways: Ways
    standing: AuthStatus = field(default_factory=AuthStatus)
    _statuses: dict[str, _Status] = field(default_factory=dict)

    @property
    def platform(self) -> Platform:
        """Discord."""
        return Platform.DISCORD

    @property
    def seconds_between_edits(self) -> float:
        """Discord's advice for one message."""
        return 3.0

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        """Edit the status message; where that is refused for good, no further edit is tried."""
        self._check_open()
        way = self.ways.editing(address)
        if way is None or address.message_id is None:
            return
        status = self._status(f"{address.message_id}/{message.job_id}")
        async with status.lock:
            if status.settled or _too_soon(address.message_id, status):
                return
            status.edited_at = asyncio.get_running_loop().time()
            try:
                await way.send(render(message), "")
            except FAULTS as error:
                if refusal(error, by_token=way.by_token) is Refusal.LATER:
                    raise self._later(error, way) from error
                _log.info("no more progress on message %s by %s: %s", address.message_id, way.name, error)
                self._lose(address, way, status)

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:
        """Post the result by the first way that is open, and tell the member where an edit would not be heard."""
        self._check_open()
        status = self._status(f"{address.message_id or nonce}/{message.job_id}")
        async with status.lock:
            try:
                way, message_ids = await self._send(self.ways.to(address), address, message, nonce)
            except _Closed as why:
                raise Undeliverable(f"no way to the member is open ({why})") from None
            status.settled = True
        if message.mentions and not way.notifies and not address.private:
            await self._mention(address, message_ids[0], nonce)
        self.ways.live.drop(address.message_id)
        return posted_text(message_ids)

    def _check_open(self) -> None:
        """Owe it until the next start where the connection has ended for good; raises TryLater."""
        if self.ways.client.is_closed():
            raise TryLater(_CLOSED_SECONDS, "the connection to Discord has ended")

    def _later(self, error: Exception, way: Way) -> TryLater:
        """What to raise after a refusal that may pass, having noted one of our own token."""
        if isinstance(error, discord.HTTPException) and error.status == 401:
            self.standing.lose(REVOKED)
        return TryLater(later_seconds(error), f"{way.name}: {error}")

    def _lose(self, address: ReplyAddress, way: Way, status: _Status) -> None:
        if way.by_token:
            self.ways.live.drop(address.message_id)
        else:
            status.settled = True

    async def _send(
        self, ways: Iterable[Way], address: ReplyAddress, message: Message, nonce: str
    ) -> tuple[Way, list[str]]:
        """Try each way in turn; raises _Closed when none is open, TryLater when it is Discord's turn to recover."""
        tried: list[str] = []
        for way in ways:
            try:
                message_ids = await self._by(way, address, message, nonce)
            except FAULTS as error:
                if refusal(error, by_token=way.by_token) is Refusal.LATER:
                    raise self._later(error, way) from error
                _log.info("%s is closed: %s", way.name, error)
                tried.append(f"{way.name}: {getattr(error, 'code', error)}")
            else:
                if not way.by_token:
                    self.standing.regain()
                return way, message_ids
        raise _Closed("; ".join(tried))

    async def _by(self, way: Way, address: ReplyAddress, message: Message, nonce: str) -> list[str]:
        """Send by one way, smaller once if it is too large, as embeds once if the form is refused."""
        try:
            return await self._parcels(way, address, message, nonce, way.limit)
        except discord.HTTPException as error:
            match refusal(error, by_token=way.by_token):
                case Refusal.SMALLER:
                    _log.info("%s took it for too large; sending it smaller", way.name)
                    largest = max((len(image.data) for image in message.images), default=0)
                    return await self._parcels(way, address, message, nonce, min(way.limit, largest // 2))
                case Refusal.LEGACY if way.notifies:
                    _log.warning("components were refused by %s: %s; sending embeds", way.name, error)
                    return [await way.send(render_legacy(message, _told(address, message, way)), nonce)]
                case _:
                    raise

    async def _parcels(self, way: Way, address: ReplyAddress, message: Message, nonce: str, limit: int) -> list[str]:
        parcels = await pack(message.images, limit)
        first, *rest = parcels.messages
        whole = replace(message, images=first, lines=(*message.lines, *parcels.refusals))
        message_ids = [await way.send(render(whole, _told(address, message, way)), nonce)]
        for number, images in enumerate(rest, 2):
            message_ids += await self._send_rest(address, _continued(message, images), f"{nonce[:24]}{number}")
        return message_ids

    async def _send_rest(self, address: ReplyAddress, message: Message, nonce: str) -> list[str]:
        for way in self.ways.new_posts(address):
            try:
                return [await way.send(render(message), nonce)]
            except discord.HTTPException as error:
                if refusal(error, by_token=way.by_token) is Refusal.LATER:
                    raise
        return []

    async def _mention(self, address: ReplyAddress, message_id: str, nonce: str) -> None:
        """Tell the requester in a line of its own, once; the pictures are there whether it is heard or not."""
        place = address.thread_id or address.channel_id
        reference = _Reference(message_id=int(message_id), channel_id=int(place), fail_if_not_exists=False)
        told = discord.AllowedMentions(
            everyone=False, roles=False, replied_user=False, users=[snowflake(address.user_id)]
        )
        try:
            await self.ways.client.get_partial_messageable(int(place)).send(
                f"<@{address.user_id}> it is ready.", reference=reference, allowed_mentions=told, nonce=f"{nonce[:24]}m"
            )
        except FAULTS as error:
            _log.info("the requester could not be told: %s", error)

    def _status(self, key: str) -> _Status:
        if key not in self._statuses and len(self._statuses) >= _REMEMBERED:
            self._statuses = dict(list(self._statuses.items())[_REMEMBERED // 2 :])
        return self._statuses.setdefault(key, _Status())


class _Reference(discord.MessageReference):
    """A reference whose ids are written as Discord's API document has them: as strings."""

    def to_dict(self) -> Any:
        """The reference as it is sent."""
        return {name: str(value) if name.endswith("_id") else value for name, value in super().to_dict().items()}

    to_message_reference_dict = to_dict  # the name by which discord.py asks for it when it sends


def _told(address: ReplyAddress, message: Message, way: Way) -> int | None:
    """Who is mentioned in a message sent by `way`: the one who asked, where they waited long and can hear it."""
    return int(address.user_id) if message.mentions and way.notifies and not way.by_token else None


def _continued(message: Message, images: tuple[ShownImage, ...]) -> Message:
    return replace(message, lines=(), buttons=(), footer="", images=images)


def _too_soon(message_id: str, status: _Status) -> bool:
    if discord.utils.utcnow() - discord.utils.snowflake_time(int(message_id)) < _OLD:
        return False
    return asyncio.get_running_loop().time() - status.edited_at < _SECONDS_BETWEEN_OLD_EDITS
