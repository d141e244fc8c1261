"""The workspaces that we serve: for each, who we are there and a client with a token that is valid now."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.slack.client import RateLimitedClient
from bot.slack.installations import EncryptedInstallationStore
from bot.slack.rate_limit import RateLimit
from bot.slack.tenant import Tenant
from handlers.messages.chat_platform import Undeliverable

# A rotated token is valid for 12 hours; it is renewed when less than two are left.
_MINUTES_LEFT: Final = 120
_FRESH_SECONDS: Final = 60.0


class NotInstalled(Undeliverable):
    """The workspace has no installation, or has taken it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotIdentity:
    """Who we are in a workspace."""

    token: str
    bot_id: str
    user_id: str


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
                token=self._client.token or "", bot_id=answer.get("bot_id", ""), user_id=answer.get("user_id", "")
            )
        return self._identity

    async def forget(self, tenant: Tenant) -> None:
        """Nothing: the token is in the settings."""


@dataclass(slots=True, kw_only=True)
class ManyWorkspaces:
    """The workspaces that installed us by OAuth; a token near its end is renewed before it is used."""

    store: EncryptedInstallationStore
    rotator: AsyncTokenRotator
    new_client: Callable[[RateLimit], RateLimitedClient]
    clock: Callable[[], float] = time.monotonic
    _clients: dict[str, RateLimitedClient] = field(default_factory=dict)
    _known: dict[str, tuple[float, Bot]] = field(default_factory=dict)
    _renewing: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def remember_all(self) -> None:
        """Read every installation once, so that no workspace's first request waits for the database."""
        for bot in await self.store.bots():
            key = bot.enterprise_id if bot.is_enterprise_install else bot.team_id
            self._known[key or ""] = (self.clock(), bot)

    async def client(self, tenant: Tenant) -> RateLimitedClient:
        """The workspace's client, with a token that is valid for a while."""
        if tenant.text not in self._clients:
            self._clients[tenant.text] = self.new_client(RateLimit())
        client = self._clients[tenant.text]
        client.token = (await self._renewed(tenant)).bot_token
        return client

    async def identity(self, tenant: Tenant) -> BotIdentity:
        """Read from memory, however old: who we are does not change, and the database may be busy."""
        _, bot = self._known.get(tenant.installation, (0.0, None))
        if bot is None:
            bot = await self._bot(tenant)
        return BotIdentity(token=bot.bot_token, bot_id=bot.bot_id, user_id=bot.bot_user_id)

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
            renewed = await self.rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=_MINUTES_LEFT)
            if renewed is None:
                return bot
            await self.store.async_save_bot(renewed)
            self._known[tenant.installation] = (self.clock(), renewed)
            return renewed

    async def _bot(self, tenant: Tenant) -> Bot:
        """The stored bot, read again after a minute, since another process may have renewed it."""
        read_at, bot = self._known.get(tenant.installation, (float("-inf"), None))
        if bot is None or self.clock() - read_at > _FRESH_SECONDS:
            bot = await self.store.find(tenant.installation)
            if bot is None:
                self._known.pop(tenant.installation, None)
                raise NotInstalled(f"Limner is not installed in workspace {tenant.team_id}; install it again.")
            self._known[tenant.installation] = (self.clock(), bot)
        return bot
