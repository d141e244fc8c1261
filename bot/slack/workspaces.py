"""The workspaces that we serve: for each, who we are there and a client with a token that is valid now."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import aiohttp
from slack_sdk.errors import SlackClientError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.slack.client import RateLimitedClient
from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import reason_of, refusal_of
from bot.slack.installations import EncryptedInstallationStore
from bot.slack.rate_limit import RateLimit
from bot.slack.tenant import Tenant
from handlers.messages.chat_platform import TryLater, Undeliverable

_log = logging.getLogger(__name__)

# A rotated token is valid for 12 hours; it is renewed when less than two are left.
_MINUTES_LEFT: Final = 120
_AT_ONCE: Final = 10**6
_FRESH_SECONDS: Final = 60.0

_REFUSED: Final = "Slack no longer renews Limner's access to this workspace; ask an admin to install Limner again."


Warn = Callable[[Tenant, str], Awaitable[None]]
"""Tells a workspace's admins what they should know."""


async def _log_alone(tenant: Tenant, why: str) -> None:
    _log.warning("%s: %s", tenant.text, why)


class NotInstalled(Undeliverable):
    """The workspace has no installation, or has taken it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """Who we are in a workspace, and which that is."""

    token: str
    bot_id: str
    user_id: str
    team_id: str


class Workspaces(Protocol):
    """Finds who and how we are in a tenant's workspace; `client` and `identity` raise NotInstalled."""

    async def client(self, tenant: Tenant) -> RateLimitedClient:
        """A client that may speak in the workspace now."""

    async def identity(self, tenant: Tenant) -> BotIdentity:
        """Who we are there; makes no request, since Slack waits for the answer."""

    async def forget(self, tenant: Tenant) -> None:
        """The workspace has removed us."""


@dataclass(slots=True)
class OneWorkspace:
    """The one workspace of SLACK_BOT_TOKEN."""

    _client: RateLimitedClient
    _identity: BotIdentity | None = None

    async def client(self, tenant: Tenant) -> RateLimitedClient:  # noqa: ARG002 - there is only one
        """The one client."""
        return self._client

    async def identity(self, tenant: Tenant) -> BotIdentity:  # noqa: ARG002 - there is only one
        """Ask Slack once, when we connect."""
        if self._identity is None:
            answer = await self._client.auth_test()
            self._identity = BotIdentity(
                token=self._client.token or "",
                bot_id=answer.get("bot_id", ""),
                user_id=answer.get("user_id", ""),
                team_id=answer.get("team_id", ""),
            )
        return self._identity

    async def forget(self, tenant: Tenant) -> None:
        """Nothing: the token is in the settings."""


@dataclass(slots=True, kw_only=True)
class ManyWorkspaces:
    """The workspaces that installed us by OAuth; a token near its end is renewed before it is used.

    `clock` tells seconds of any kind, `wall_clock` those by which Slack says when a token ends.
    """

    store: EncryptedInstallationStore
    rotator: AsyncTokenRotator
    new_client: Callable[[RateLimit], RateLimitedClient]
    warn: Warn = _log_alone
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    _clients: dict[str, RateLimitedClient] = field(default_factory=dict)
    _known: dict[str, tuple[float, Bot]] = field(default_factory=dict)
    _refused_at: dict[str, float] = field(default_factory=dict)
    _renewing: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def remember_all(self) -> None:
        """Read every installation once, so that no workspace's first request waits for the database."""
        for bot in await self.store.bots():
            key = bot.enterprise_id if bot.is_enterprise_install else bot.team_id
            self._known[key or ""] = (self.clock(), bot)

    async def client(self, tenant: Tenant) -> RateLimitedClient:
        """The workspace's client, with a token that is valid for a while."""
        if tenant.text not in self._clients:
            new = self._clients[tenant.text] = self.new_client(RateLimit())
            new.new_token = partial(self._newer, tenant)
        client = self._clients[tenant.text]
        client.token = (await self._renewed(tenant)).bot_token
        return client

    async def identity(self, tenant: Tenant) -> BotIdentity:
        """Read from memory, however old: who we are does not change, and the database may be busy."""
        _, bot = self._known.get(tenant.installation, (0.0, None))
        if bot is None:
            bot = await self._bot(tenant)
        return BotIdentity(token=bot.bot_token, bot_id=bot.bot_id, user_id=bot.bot_user_id, team_id=tenant.team_id)

    async def forget(self, tenant: Tenant) -> None:
        """Delete the installation."""
        self._known.pop(tenant.installation, None)
        await self.store.async_delete_bot(
            enterprise_id=tenant.org_id, team_id=None if tenant.org_id else tenant.team_id
        )

    async def _renewed(self, tenant: Tenant) -> Bot:
        """Renew one at a time, since a refresh token works once; anyone who waited finds the new token."""
        async with self._renewing[tenant.installation]:
            bot = await self._bot(tenant)
            refused_at = self._refused_at.get(tenant.installation, float("-inf"))
            if self._is_valid(bot) and self.clock() - refused_at < _FRESH_SECONDS:
                return bot
            try:
                return await self._rotated(tenant, bot, _MINUTES_LEFT) or bot
            except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
                return await self._unrenewed(tenant, bot, error)

    async def _unrenewed(self, tenant: Tenant, bot: Bot, error: Exception) -> Bot:
        """What serves where a token cannot be renewed: the one that another process got, else the old one to its end.

        Raises NotInstalled where there is none, or TryLater where Slack may renew it later.
        """
        stored = await self.store.find(tenant.installation)
        if stored is not None and stored.bot_token != bot.bot_token:
            self._known[tenant.installation] = (self.clock(), stored)
            return stored
        self._refused_at[tenant.installation] = self.clock()
        cause = error.api_error if isinstance(error, SlackTokenRotationError) else None
        passes = cause is None or refusal_of(cause) is SlackRefusal.LATER
        reason = reason_of(cause or error)
        _log.warning("the token of %s could not be renewed: %s", tenant.text, reason)
        if not passes:
            await self.warn(tenant, f"Slack does not renew Limner's access ({reason}); install Limner again")
        if self._is_valid(bot):
            return bot
        if passes:
            raise TryLater(_FRESH_SECONDS, f"the token could not be renewed: {reason}") from error
        raise NotInstalled(_REFUSED) from error

    async def _newer(self, tenant: Tenant, refused: str) -> str | None:
        """The token in place of one that Slack refused before its time: another process's, or a new one."""
        async with self._renewing[tenant.installation]:
            bot = await self.store.find(tenant.installation)
            if bot is not None and bot.bot_token == refused:
                try:
                    bot = await self._rotated(tenant, bot, _AT_ONCE)
                except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
                    _log.warning("a refused token of %s could not be renewed: %s", tenant.text, type(error).__name__)
                    return None
            if bot is None:
                return None
            self._known[tenant.installation] = (self.clock(), bot)
            return str(bot.bot_token)

    async def _rotated(self, tenant: Tenant, bot: Bot, minutes_left: int) -> Bot | None:
        """The bot with a new token, which is stored; None where its token lasts for longer, or does not end."""
        renewed = await self.rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=minutes_left)
        if renewed is not None:
            await self.store.async_save_bot(renewed)
            self._known[tenant.installation] = (self.clock(), renewed)
        return renewed

    def _is_valid(self, bot: Bot) -> bool:
        return bot.bot_token_expires_at is None or bot.bot_token_expires_at > self.wall_clock()

    async def _bot(self, tenant: Tenant) -> Bot:
        """The stored bot, read again after a minute, since another process may have renewed it."""
        read_at, bot = self._known.get(tenant.installation, (float("-inf"), None))
        if bot is None or self.clock() - read_at > _FRESH_SECONDS:
            bot = await self.store.find(tenant.installation)
            if bot is None:
                self._known.pop(tenant.installation, None)
                raise NotInstalled("Limner is not installed in this workspace; ask an admin to install it again.")
            self._known[tenant.installation] = (self.clock(), bot)
        return bot
