"""Interactions that outlive the process which received them: stored first, and taken up again where nobody answered."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import discord

from bot.discord.answers import first_message, refuse, refuse_at_once, tell
from bot.discord.error_codes import DiscordRefusal
from bot.discord.errors import WAITING, reason_of, refusal_of
from bot.discord.live_interactions import TOKEN_SECONDS
from bot.discord.rendering import render
from bot.discord.routes import Routes
from handlers.messages.message import Message, Mood
from handlers.messages.refusal import DEADLY, NOT_STORED
from pipeline.errors import UserError
from storage.errors import StorageError
from storage.platform import Platform
from storage.queue.inbox import MOST_ATTEMPTS, STORE_SECONDS, Inbox, Received, Unreachable
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]
Parse = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """The payload of the interaction that is being parsed, which discord.py does not keep."""

    payload: Mapping[str, Any]
    resumed: Received | None = None


_ARRIVAL: Final[ContextVar[_Arrival | None]] = ContextVar("arrival", default=None)


def keep_payloads(parsers: dict[str, Parse]) -> None:
    """Let those who handle an interaction, which are tasks that its parser starts, read its payload."""
    parse = parsers["INTERACTION_CREATE"]

    def parse_and_keep(payload: Any) -> None:
        if _ARRIVAL.get() is not None:
            parse(payload)
            return
        token = _ARRIVAL.set(_Arrival(payload=payload))
        try:
            parse(payload)
        finally:
            _ARRIVAL.reset(token)

    parsers["INTERACTION_CREATE"] = parse_and_keep


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordInbox:
    """Where interactions are kept until they are answered, by whichever process."""

    inbox: Inbox

    @asynccontextmanager
    async def receive(self, interaction: Interaction, *, private: bool) -> AsyncIterator[bool]:
        """Store the interaction until the block ends; whether it is this process's to answer.

        Where it cannot be stored the member is told, and nothing was accepted.
        """
        arrival = _ARRIVAL.get()
        assert arrival is not None, "every interaction is parsed"
        received_id = None if arrival.resumed is None else arrival.resumed.id
        if received_id is None:
            payload = {"private": private, "interaction": arrival.payload}
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    received_id = await self.inbox.receive(
                        Platform.DISCORD, str(interaction.id), payload, str(interaction.application_id)
                    )
            except StorageError as error:
                await refuse_at_once(interaction, error)
            except TimeoutError:
                _log.warning("an interaction is not stored in time")
                await refuse_at_once(interaction, UserError(NOT_STORED))
        if received_id is None:
            yield False
            return
        async with self.inbox.handling(received_id):
            with _later_where_unreachable():
                yield True

    async def refuse(self, interaction: Interaction, error: UserError) -> None:
        """Refuse what comes to no work, in place of the acknowledgement where another process gave one."""
        if not is_resumed() or interaction.response.is_done():
            await tell(interaction, error)
            return
        async with self.receive(interaction, private=True):
            if (first := await first_message(interaction)) is not None:
                await refuse(interaction, error, private=first.flags.ephemeral)

    async def resume(self, parsers: Mapping[str, Parse], routes: Routes, stale_seconds: float) -> None:
        """Take up what other processes left, and what this one could not answer."""
        application_id = str(routes.client.application_id)
        left = await self.inbox.take_left(Platform.DISCORD, stale_seconds, application_id)
        # All at once, since what waits here for another may be taken up by another process meanwhile.
        await asyncio.gather(*(self._resume(received, parsers, routes) for received in left))

    async def _resume(self, received: Received, parsers: Mapping[str, Parse], routes: Routes) -> None:
        if received.age >= TOKEN_SECONDS:
            await self._say_too_late(received, routes)
            return
        payload = received.payload["interaction"]
        _ARRIVAL.set(_Arrival(payload=payload, resumed=received))
        parsers["INTERACTION_CREATE"](payload)

    async def revive(self, address: ReplyAddress, routes: Routes) -> None:
        """Let a private answer of this address be edited here, though another process received what it answers."""
        if not address.private or address.message_id is None or address.received_id is None:
            return
        if routes.live.get(address.message_id) is not None:
            return
        kept = await self.inbox.kept(address.received_id)
        if kept is not None and kept.age < TOKEN_SECONDS:
            state = routes.client._connection  # noqa: SLF001 - discord.py offers no other way to an interaction
            interaction = discord.Interaction[Any](data=kept.payload["interaction"], state=state)
            routes.live.add(address.message_id, interaction, kept.age)

    async def _say_too_late(self, received: Received, routes: Routes) -> None:
        """Say by the bot's own token that the answer will not come: the interaction's is no longer valid."""
        payload, private = received.payload["interaction"], received.payload["private"]
        user = payload["user"] if "user" in payload else payload["member"]["user"]
        address = ReplyAddress(
            platform=Platform.DISCORD, channel_id=payload["channel_id"], user_id=user["id"], private=private
        )
        words = f"{user['username']}, Limner was stopped before it could answer {_what(payload)}; please send it again."
        message = render(Message(headline=words, mood=Mood.FAILED))
        async with self.inbox.handling(received.id):
            for route in routes.to(address):
                with _later_where_unreachable():
                    try:
                        await route.send(message, f"late-{received.id}")
                    except discord.HTTPException as error:
                        if refusal_of(error, by_token=False) in WAITING:
                            raise
                        _log.info("%s does not take it: %s", route.name, reason_of(error))
                    else:
                        return
            _log.warning("a member could not be told that an answer is lost")


def is_resumed() -> bool:
    """Whether the interaction that is handled was received, and acknowledged, before."""
    arrival = _ARRIVAL.get()
    return arrival is not None and arrival.resumed is not None


def check_attempts() -> None:
    """Raise UserError where every process that tried to answer the interaction came to an end over it."""
    arrival = _ARRIVAL.get()
    if arrival is not None and arrival.resumed is not None and arrival.resumed.attempt > MOST_ATTEMPTS:
        raise UserError(DEADLY)


@contextmanager
def _later_where_unreachable() -> Iterator[None]:
    """Leave it for later where Discord takes no answer now."""
    try:
        yield
    except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError) as error:
        if refusal_of(error, by_token=True) is DiscordRefusal.LATER:
            raise Unreachable(reason_of(error)) from error
        raise


def _what(payload: Mapping[str, Any]) -> str:
    name = payload.get("data", {}).get("name")
    return f"your /{name}" if name else "your click"
