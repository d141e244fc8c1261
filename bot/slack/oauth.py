"""The OAuth flow by which a workspace installs us; its state is valid once and for ten minutes."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.guilds import SlackGuilds
from bot.slack.installations import EncryptedInstallationStore
from bot.slack.manifest import BOT_SCOPES
from bot.slack.tenant import Tenant
from bot.slack.transport import Distributed
from pipeline.errors import UserError
from storage.encryption import Encryption
from storage.platform import Platform

_log = logging.getLogger(__name__)

INSTALL_PATH: Final = "/slack/install"
REDIRECT_PATH: Final = "/slack/oauth_redirect"
_STATE_SECONDS: Final = 600


class EncryptedStates(AsyncOAuthStateStore):
    """Encrypted states that prove themselves; the browser's cookie, which Bolt checks, ties each to its requester.

    `now` is the time that all processes share, since one may issue a state and another see it come back.
    """

    def __init__(self, encryption: Encryption, now: Callable[[], Awaitable[float]]) -> None:
        self._encryption = encryption
        self._now = now
        self._used: dict[str, float] = {}

    @property
    def logger(self) -> logging.Logger:
        """The logger that slack_bolt asks for."""
        return _log

    async def async_issue(self, *args: object, **kwargs: object) -> str:  # noqa: ARG002 - slack_sdk's signature
        """A new state."""
        return self._encryption.encrypt_at(await self._now(), secrets.token_urlsafe(16))

    async def async_consume(self, state: str) -> bool:
        """Whether the state is ours, recent and unused."""
        now = await self._now()
        self._used = {text: at for text, at in self._used.items() if at > now - _STATE_SECONDS}
        if state in self._used or not state.isascii():
            return False
        if not self._encryption.is_recent(state, _STATE_SECONDS, now):
            return False
        self._used[state] = now
        return True


class _NotServed(BoltError):
    """The workspace is not one of those that are served; the text says so."""


class _AllowedFlow(AsyncOAuthFlow):
    """Stores the installations of the guilds that are served, and gives the others' tokens back."""

    guilds: SlackGuilds

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        """Store it, and connect the workspaces that come back; raises BoltError."""
        organisation = installation.enterprise_id
        try:
            # An organisation-wide installation names no workspace.
            allowed = self.guilds.context.allowed_guilds
            allowed.check(Platform.SLACK, installation.team_id or organisation or "", organisation=organisation)
        except UserError as refusal:
            with suppress(SlackApiError):
                await self.client.auth_revoke(token=installation.bot_token or "")
            raise _NotServed(str(refusal)) from None
        await super().store_installation(request, installation)
        tenant = Tenant(
            team_id=installation.team_id or "", org_id=organisation if installation.is_enterprise_install else None
        )
        await self.guilds.meet(tenant, installation.app_id or "")


async def _installed(args: AsyncSuccessArgs) -> BoltResponse:
    return await args.default.success(args)


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    if isinstance(args.error, _NotServed):
        return BoltResponse(status=403, body=str(args.error), headers={"Content-Type": "text/plain; charset=utf-8"})
    return await args.default.failure(args)


def oauth_flow(
    transport: Distributed, store: EncryptedInstallationStore, states: EncryptedStates, client: AsyncWebClient,
    guilds: SlackGuilds,
) -> AsyncOAuthFlow:  # fmt: skip
    """The flow behind `/slack/install` and `/slack/oauth_redirect`, for the guilds that are allowed."""
    site = urlsplit(client.base_url)
    origin = "https://slack.com" if site.hostname == "slack.com" else f"{site.scheme}://{site.netloc}"
    settings = AsyncOAuthSettings(
        client_id=transport.client_id,
        client_secret=transport.client_secret,
        scopes=list(BOT_SCOPES),
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        authorization_url=f"{origin}/oauth/v2/authorize",
        installation_store=store,
        installation_store_bot_only=True,
        state_store=states,
        state_expiration_seconds=_STATE_SECONDS,
        callback_options=AsyncCallbackOptions(success=_installed, failure=_failed),
        logger=_log,
    )
    flow = _AllowedFlow(settings=settings, client=client, logger=_log)
    flow.guilds = guilds
    return flow
