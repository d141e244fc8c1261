"""The OAuth flow by which a workspace installs us; its state is valid once and for ten minutes."""

import logging
import secrets
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.installations import EncryptedInstallationStore
from bot.slack.manifest import BOT_SCOPES
from bot.slack.transport import Distributed
from pipeline.errors import UserError
from storage.guilds.encryption import Encryption

_log = logging.getLogger(__name__)

INSTALL_PATH: Final = "/slack/install"
REDIRECT_PATH: Final = "/slack/oauth_redirect"
_STATE_SECONDS: Final = 600


class EncryptedStates(AsyncOAuthStateStore):
    """Encrypted states that prove themselves; the browser's cookie, which Bolt checks, ties each to its requester."""

    def __init__(self, encryption: Encryption, clock: Callable[[], float] = time.monotonic) -> None:
        self._encryption = encryption
        self._clock = clock
        self._used: dict[str, float] = {}

    @property
    def logger(self) -> logging.Logger:
        """The logger that slack_bolt asks for."""
        return _log

    async def async_issue(self, *args: object, **kwargs: object) -> str:  # noqa: ARG002 - slack_sdk's signature
        """A new state."""
        return self._encryption.encrypt(secrets.token_urlsafe(16))

    async def async_consume(self, state: str) -> bool:
        """Whether the state is ours, recent and unused."""
        now = self._clock()
        self._used = {text: at for text, at in self._used.items() if at > now - _STATE_SECONDS}
        if state in self._used:
            return False
        try:
            self._encryption.decrypt(state, max_age_seconds=_STATE_SECONDS)
        except UserError:
            return False
        self._used[state] = now
        return True


def oauth_flow(
    transport: Distributed, store: EncryptedInstallationStore, encryption: Encryption, client: AsyncWebClient
) -> AsyncOAuthFlow:
    """The flow behind `/slack/install` and `/slack/oauth_redirect`."""
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
        state_store=EncryptedStates(encryption),
        state_expiration_seconds=_STATE_SECONDS,
        logger=_log,
    )
    return AsyncOAuthFlow(settings=settings, client=client, logger=_log)
