"""The WebSocket of Socket Mode: why it is not open, in a sentence, and a log that says each trouble once."""

import logging
from typing import Any, Final

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.errors import join_error

APP_REFUSED: Final = (
    "Slack refused SLACK_APP_TOKEN ({code}); make one with connections:write at api.slack.com/apps, Basic Information, "
    "App-Level Tokens."
)


class _Once(logging.Filter):
    """Lets each error of the SDK through once, in a line, until a connection is open."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            if "has been established" in record.getMessage():
                self._said.clear()
            return True
        record.exc_info, words = None, record.getMessage()
        is_new = words not in self._said
        self._said.add(words)
        return is_new


class AppClient(AsyncWebClient):
    """The client of the app's own token; `trouble` says why Slack opened no connection when it was last asked."""

    trouble: str | None = None

    async def apps_connections_open(self, *, app_token: str, **arguments: Any) -> AsyncSlackResponse:
        """Ask for the address of a new connection."""
        try:
            answer = await super().apps_connections_open(app_token=app_token, **arguments)
        except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            self.trouble = str(join_error(error, APP_REFUSED))
            raise
        self.trouble = None
        return answer


class Socket:
    """The connection over which Slack sends what members do."""

    def __init__(self, app: AsyncApp, client: AsyncWebClient, app_token: str) -> None:
        self._client = AppClient(
            token=app_token, base_url=client.base_url, session=client.session, retry_handlers=client.retry_handlers
        )
        logger = logging.Logger(__name__)
        logger.parent = logging.getLogger()
        logger.addFilter(_Once())
        self._handler = AsyncSocketModeHandler(app, app_token, logger=logger, web_client=self._client)

    async def open(self) -> None:
        """Get an address, at which `connect` begins; raises UserError, or LoginRefused where the token is refused."""
        token = self._client.token or ""
        try:
            self._handler.client.wss_uri = (await self._client.apps_connections_open(app_token=token))["url"]
        except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            raise join_error(error, APP_REFUSED) from error

    async def connect(self) -> None:
        """Connect, again and again until it succeeds; from then on the SDK keeps the connection."""
        await self._handler.connect_async()  # type: ignore[no-untyped-call] # Bolt's

    async def close(self) -> None:
        """Connect no more."""
        await self._handler.close_async()  # type: ignore[no-untyped-call] # Bolt's

    async def check(self) -> str | None:
        """Why members are not heard now, or None."""
        if await self._handler.client.is_connected():
            return None
        return self._client.trouble or "not connected to Slack; limner doctor says why"
