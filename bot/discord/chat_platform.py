"""Discord's side of delivery: progress in place, and a result that always arrives."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

import discord

from bot.discord.auth_status import REVOKED, AuthStatus
from bot.discord.error_codes import DiscordRefusal
from bot.discord.errors import FAULTS, WAITING, later_seconds, reason_of, refusal_of
from bot.discord.inbox import DiscordInbox
from bot.discord.message_ids import posted_text
from bot.discord.rendering import render, render_legacy, snowflake
from bot.discord.routes import Route, Routes
from bot.discord.uploads import pack
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message, Mood, ShownImage
from pipeline.images.image_process import ImageProcesses
from storage.platform import Platform
from storage.queue.outbox import Outbox
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)

_OLD: Final = timedelta(hours=1)
_SECONDS_BETWEEN_OLD_EDITS: Final = 300.0
"""Discord rarely allows edits of messages older than an hour (error 30046)."""

_REMEMBERED: Final = 2000
_CLOSED_SECONDS: Final = 10.0

_NOT_TAKEN: Final = "It is ready, but Discord does not take it here; /history has it."
_SENT_DIRECTLY: Final = "It came to you in a direct message."


class _Closed(Exception):
    """None of the routes that were tried takes the message."""


@dataclass(slots=True)
class _Status:
    """How far this process is with a status message; the lock keeps an edit from overtaking the final one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    settled: bool = False
    delivering: bool = False
    edited_at: float = float("-inf")


@dataclass(slots=True, kw_only=True)
class DiscordPlatform:
    """Posts and edits messages by the first route that works."""

    routes: Routes
    inbox: DiscordInbox
    outbox: Outbox
    auth_status: AuthStatus = field(default_factory=AuthStatus)
    images: ImageProcesses = field(default_factory=ImageProcesses)
    _statuses: dict[str, _Status] = field(default_factory=dict)

    @property
    def platform(self) -> Platform:
        """Discord."""
        return Platform.DISCORD

    @property
    def application_id(self) -> str:
        """The bot's own, once it has logged in."""
        return str(self.routes.client.application_id or "")

    @property
    def seconds_between_edits(self) -> float:
        """Discord's advice for one message."""
        return 3.0

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        """Edit the status message; where that is refused for good, no further edit is tried."""
        self._check_open()
        await self.inbox.revive(address, self.routes)
        route = self.routes.editing(address)
        if route is None or address.message_id is None:
            return
        status = self._status(f"{address.message_id}/{message.job_id}")
        async with status.lock:
            if status.settled or _too_soon(address.message_id, status):
                return
            status.edited_at = asyncio.get_running_loop().time()
            try:
                await route.send(render(message), "")
            except FAULTS as error:
                if refusal_of(error, by_token=route.by_token) in WAITING:
                    raise self._later(error, route) from error
                _log.info("no more progress on message %s by %s: %s", address.message_id, route.name, error)
                self._lose(address, route, status)
            else:
                # Another process may have put the result there, and this edit may have come after it.
                if message.job_id is not None and not status.delivering:
                    await self.outbox.post_again(message.job_id, address.message_id)

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:
        """Post the result by the first open route; where that is an edit, which notifies nobody, mention the member."""
        self._check_open()
        await self.inbox.revive(address, self.routes)
        status = self._status(f"{address.message_id or nonce}/{message.job_id}")
        status.delivering = True
        async with status.lock:
            try:
                route, message_ids = await self._send(self.routes.to(address), address, message, nonce)
            except _Closed as why:
                status.settled = True
                await self._say_so(address, message, nonce)
                raise Undeliverable(f"no way to the member takes it ({why})") from None
            status.settled = True
        if route.notifies:
            await self._clear(address, message, route)
        elif message.mentions and not address.private:
            await self._mention(address, message_ids[0], nonce)
        self.routes.live.drop(address.message_id)
        return posted_text(message_ids)

    async def _say_so(self, address: ReplyAddress, message: Message, nonce: str) -> None:
        """Say in words that the result is not taken, by a route that takes those: what refused an image may do that."""
        lines = (_NOT_TAKEN,) if message.images else message.lines
        words = Message(headline=message.headline, mood=Mood.FAILED, lines=lines, job_id=message.job_id)
        try:
            route, _ = await self._send(self.routes.to(address), address, words, f"{nonce[:24]}w")
        except _Closed as why:
            _log.info("the member cannot be told either: %s", why)
        else:
            if route.notifies:
                await self._clear(address, message, route)

    async def _clear(self, address: ReplyAddress, message: Message, taken: Route) -> None:
        """Take away the status message, whose buttons are over, since the result came by the route `taken`."""
        words = render(Message(headline=message.headline, lines=(_SENT_DIRECTLY,), job_id=message.job_id))
        for route in self.routes.to(address):
            if route.remove is None:
                continue
            tell = partial(route.send, words, "")
            for step in (tell, route.remove) if taken.direct else (route.remove, tell):
                try:
                    await step()
                except discord.NotFound:
                    break
                except FAULTS as error:
                    _log.info("the %s stays: %s", route.name, error)
                else:
                    return

    def _check_open(self) -> None:
        """Raise TryLater where the connection has ended for good: the result waits for the next start."""
        if self.routes.client.is_closed():
            raise TryLater(_CLOSED_SECONDS, "the connection to Discord has ended")

    def _later(self, error: Exception, route: Route) -> TryLater:
        """The error to raise after a refusal that may pass; a refusal of our token is recorded."""
        if refusal_of(error, by_token=route.by_token) is DiscordRefusal.TOKEN:
            self.auth_status.lose(REVOKED)
        return TryLater(later_seconds(error), f"{route.name}: {error}")

    def _lose(self, address: ReplyAddress, route: Route, status: _Status) -> None:
        if route.by_token:
            self.routes.live.drop(address.message_id)
        else:
            status.settled = True

    async def _send(
        self, routes: Iterable[Route], address: ReplyAddress, message: Message, nonce: str
    ) -> tuple[Route, list[str]]:
        """Try each route in turn; raises _Closed when none takes it, TryLater when it is Discord's turn to recover."""
        tried: list[str] = []
        for route in routes:
            try:
                message_ids = await self._by(route, address, message, nonce)
            except FAULTS as error:
                refusal = refusal_of(error, by_token=route.by_token)
                if refusal in WAITING:
                    raise self._later(error, route) from error
                _log.info("%s is closed: %s", route.name, error)
                tried.append(f"{route.name}: {reason_of(error)}")
                if refusal is DiscordRefusal.PERMANENT:
                    break
            else:
                if not route.by_token:
                    self.auth_status.regain()
                return route, message_ids
        raise _Closed("; ".join(tried))

    async def _by(self, route: Route, address: ReplyAddress, message: Message, nonce: str) -> list[str]:
        """Send by one route, smaller once if it is too large, as embeds once if the form is refused."""
        try:
            return await self._send_packed(route, address, message, nonce, route.limit)
        except discord.HTTPException as error:
            match refusal_of(error, by_token=route.by_token):
                case DiscordRefusal.SMALLER:
                    _log.info("%s took it for too large; sending it smaller", route.name)
                    largest = max((len(image.data) for image in message.images), default=0)
                    return await self._send_packed(route, address, message, nonce, min(route.limit, largest // 2))
                case DiscordRefusal.LEGACY if route.notifies:
                    _log.warning("components were refused by %s: %s; sending embeds", route.name, error)
                    return [await route.send(render_legacy(message, _mentioned(address, message, route)), nonce)]
                case _:
                    raise

    async def _send_packed(
        self, route: Route, address: ReplyAddress, message: Message, nonce: str, limit: int
    ) -> list[str]:
        share = (address.channel_id, address.user_id)
        packed = await pack(message.images, limit, self.images, share)
        first, *rest = packed.messages
        whole = replace(message, images=first, lines=(*message.lines, *packed.refusals))
        message_ids = [await route.send(render(whole, _mentioned(address, message, route)), nonce)]
        for number, images in enumerate(rest, 2):
            message_ids += await self._send_rest(address, _continued(message, images), f"{nonce[:24]}{number}")
        return message_ids

    async def _send_rest(self, address: ReplyAddress, message: Message, nonce: str) -> list[str]:
        for route in self.routes.new_posts(address):
            try:
                return [await route.send(render(message), nonce)]
            except discord.HTTPException as error:
                if refusal_of(error, by_token=route.by_token) in WAITING:
                    raise
        return []

    async def _mention(self, address: ReplyAddress, message_id: str, nonce: str) -> None:
        """Mention the requester in a message of its own, once; the images are posted whether it succeeds or not."""
        place = address.thread_id or address.channel_id
        reference = _Reference(message_id=int(message_id), channel_id=int(place), fail_if_not_exists=False)
        allowed = discord.AllowedMentions(
            everyone=False, roles=False, replied_user=False, users=[snowflake(address.user_id)]
        )
        try:
            await self.routes.client.get_partial_messageable(int(place)).send(
                f"<@{address.user_id}> it is ready.",
                reference=reference,
                allowed_mentions=allowed,
                nonce=f"{nonce[:24]}m",
            )
        except FAULTS as error:
            _log.info("the requester could not be told: %s", error)

    def _status(self, key: str) -> _Status:
        if key not in self._statuses and len(self._statuses) >= _REMEMBERED:
            self._statuses = dict(list(self._statuses.items())[_REMEMBERED // 2 :])
        return self._statuses.setdefault(key, _Status())


class _Reference(discord.MessageReference):
    """A reference whose ids are strings, as Discord's API document asks."""

    def to_dict(self) -> Any:
        """The reference as it is sent."""
        return {name: str(value) if name.endswith("_id") else value for name, value in super().to_dict().items()}

    to_message_reference_dict = to_dict  # the name by which discord.py asks for it when it sends


def _mentioned(address: ReplyAddress, message: Message, route: Route) -> int | None:
    """The member to mention in a message sent by `route`: the requester, if they waited long and it notifies them."""
    return int(address.user_id) if message.mentions and route.notifies and not route.by_token else None


def _continued(message: Message, images: tuple[ShownImage, ...]) -> Message:
    return replace(message, lines=(), buttons=(), footer="", images=images)


def _too_soon(message_id: str, status: _Status) -> bool:
    if discord.utils.utcnow() - discord.utils.snowflake_time(int(message_id)) < _OLD:
        return False
    return asyncio.get_running_loop().time() - status.edited_at < _SECONDS_BETWEEN_OLD_EDITS
