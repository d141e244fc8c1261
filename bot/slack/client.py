"""A Web API client that keeps to its workspace's rate limit and retries what may succeed later."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryState
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import refusal_of
from bot.slack.rate_limit import RateLimit

_SHORT_SECONDS: Final = 3


class _ShortRateLimit(AsyncRateLimitErrorRetryHandler):
    """Waits where Slack asks for a moment; a longer wait is the caller's to arrange, who has others to serve."""

    async def _can_retry_async(
        self,
        *,
        state: RetryState,  # noqa: ARG002 - slack_sdk's signature
        request: HttpRequest,  # noqa: ARG002 - as above
        response: HttpResponse | None = None,
        error: Exception | None = None,  # noqa: ARG002 - as above
    ) -> bool:
        if response is None or response.status_code != 429:
            return False
        seconds = next((value[0] for name, value in response.headers.items() if name.lower() == "retry-after"), "1")
        return seconds.isdecimal() and int(seconds) <= _SHORT_SECONDS


def retry_handlers() -> list[AsyncRetryHandler]:
    """What every client retries; by default slack_sdk retries broken connections only."""
    return [
        AsyncConnectionErrorRetryHandler(),
        _ShortRateLimit(max_retry_count=1),
        AsyncServerErrorRetryHandler(max_retry_count=1),
    ]


NewToken = Callable[[str], Awaitable[str | None]]
"""The token that has taken the place of a refused one, or None."""


class RateLimitedClient(AsyncWebClient):
    """A workspace's client: each call waits for its turn; `new_token` is asked where Slack refuses the token."""

    def __init__(
        self, *, token: str | None, base_url: str, session: aiohttp.ClientSession, rate_limit: RateLimit
    ) -> None:
        super().__init__(token=token, base_url=base_url, session=session, retry_handlers=retry_handlers())
        self.rate_limit = rate_limit
        self.new_token: NewToken | None = None

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Call a method when its turn comes; raises TryLater, SlackApiError or a connection's own error."""
        body = arguments.get("json") or arguments.get("params") or {}
        await self.rate_limit.turn(api_method, body.get("channel"))
        try:
            return await super().api_call(api_method, **arguments)
        except SlackApiError as error:
            if refusal_of(error) is not SlackRefusal.REVOKED or not await self._has_new_token():
                raise
        return await super().api_call(api_method, **arguments)

    async def _has_new_token(self) -> bool:
        refused = self.token or ""
        token = await self.new_token(refused) if self.new_token is not None else None
        self.token = token or refused
        return token is not None
