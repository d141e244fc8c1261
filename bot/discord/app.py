"""The Discord app of this process: logged in, listening, and closed at the end."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import discord

from bot.assembly.platform_link import LoginRefused
from bot.assembly.settings import Settings
from bot.discord.auth_status import REVOKED
from bot.discord.chat_platform import DiscordPlatform
from bot.discord.client import LimnerClient
from bot.discord.errors import FAULTS, reason_of
from bot.discord.routes import Routes
from handlers.commands.context import AppContext
from pipeline.errors import UserError
from pipeline.supervisor import Supervisor

_AUTHENTICATION_FAILED: Final = 4004


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordApp:
    """The client, and the platform by which results are delivered."""

    client: LimnerClient
    platform: DiscordPlatform

    async def check(self) -> str | None:
        """What is missing before members are heard, in a few words."""
        if self.client.auth_status.trouble is not None:
            return self.client.auth_status.trouble
        if self.client.is_closed():
            return "the connection has ended; see the log"
        if not self.client.is_ready():
            return "still connecting"
        if self.client.publication.trouble is not None:
            return self.client.publication.trouble
        closed = [str(number) for number, shard in self.client.shards.items() if shard.is_closed()]
        return f"shards reconnecting: {', '.join(closed)}" if closed else None


@asynccontextmanager
async def running_discord(
    settings: Settings, context: AppContext, supervisor: Supervisor | None = None
) -> AsyncIterator[DiscordApp]:
    """Log in, listen until the block ends, close; raises LoginRefused, or UserError where it may pass."""
    use_api_base(settings.discord_api_base)
    client = LimnerClient(context, gateway_url=settings.discord_gateway_url)
    routes = Routes(client=client, live=client.live)
    platform = DiscordPlatform(routes=routes, inbox=client.inbox, outbox=context.outbox, auth_status=client.auth_status)
    token = settings.discord_token.get_secret_value().strip() if settings.discord_token else ""
    try:
        await _log_in(client, token)
        supervisor = supervisor or Supervisor()
        stale = settings.stale_seconds
        listening = supervisor.start("the connection to Discord", partial(_listen, client, token))
        resuming = supervisor.repeat("what members on Discord wait for", stale / 2, partial(client.resume, stale))
        try:
            yield DiscordApp(client=client, platform=platform)
        finally:
            await context.inbox.finish()
            resuming.cancel()
            await client.close()
            listening.cancel()  # it may be about to begin again
            await asyncio.gather(listening, resuming, return_exceptions=True)
    finally:
        await client.close()


@asynccontextmanager
async def logged_in(settings: Settings) -> AsyncIterator[discord.Client]:
    """A client for a few requests, without the gateway; raises UserError when it cannot log in."""
    if settings.discord_token is None:
        raise UserError("DISCORD_TOKEN is not set; docs/discord.md says where it comes from.")
    use_api_base(settings.discord_api_base)
    async with discord.Client(intents=discord.Intents.none()) as client:
        await _log_in(client, settings.discord_token.get_secret_value().strip())
        yield client


def use_api_base(base: str | None) -> None:
    """Talk to the API at `base` instead of Discord's own; the version is added where it is missing."""
    if base is None:
        return
    base = base.rstrip("/")
    if not urlsplit(base).path:
        base += "/api"
    discord.http.Route.BASE = base if re.search(r"/v\d+$", base) else f"{base}/v{discord.http.INTERNAL_API_VERSION}"


async def _log_in(client: discord.Client, token: str) -> None:
    try:
        await client.login(token)
    except discord.LoginFailure:
        raise LoginRefused(
            "Discord refused DISCORD_TOKEN; copy it again from discord.com/developers, your application, Bot."
        ) from None
    except FAULTS as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> UserError:
    return UserError(f"Discord cannot be reached ({reason_of(error)}); check the network of this machine.")


async def _listen(client: LimnerClient, token: str) -> None:
    """Listen until the client is closed, or Discord closes the connection for good; raises what may pass."""
    try:
        if client.is_closed():
            client.clear()
            await client.login(token)
        await client.connect(reconnect=True)
    except discord.LoginFailure:
        client.auth_status.lose(REVOKED)
    except discord.ConnectionClosed as error:
        # Reached only where reconnecting cannot help: the token was revoked, or an intent is switched off.
        why = (
            f"Discord closed the connection for good ({error.code}); limner doctor says what to mend, then start again."
        )
        client.auth_status.lose(REVOKED if error.code == _AUTHENTICATION_FAILED else why)
    except FAULTS as error:
        raise _unreachable(error) from error
