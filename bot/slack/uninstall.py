"""A workspace uninstalls one of our apps: its token is deleted at once, the workspace's data when no app is left."""

import logging
from dataclasses import dataclass

from bot.slack.application import application_of
from bot.slack.guilds import SlackGuilds
from bot.slack.interaction import tenant_of_event
from bot.slack.interactions import Ack, Body
from bot.slack.workspaces import Workspaces

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstall:
    """Handles both events of an uninstall, which Slack sends in any order and maybe twice."""

    guilds: SlackGuilds
    workspaces: Workspaces

    async def uninstalled(self, ack: Ack, body: Body) -> None:
        """The app was removed."""
        await ack()
        tenant = tenant_of_event(body)
        await self.workspaces.forget(tenant)
        await self.guilds.remove(tenant, application_of(body))
        _log.info("removed from %s; its data is deleted in thirty days unless it comes back", tenant.text)

    async def revoked(self, ack: Ack, body: Body) -> None:
        """Tokens were revoked; only the bot's matters, since no user's is ever asked for."""
        await ack()
        if body["event"].get("tokens", {}).get("bot"):
            tenant = tenant_of_event(body)
            await self.workspaces.forget(tenant)
            _log.info("the token of %s was revoked", tenant.text)
