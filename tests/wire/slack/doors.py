"""The two ways in which Slack reaches an app: a WebSocket that the app opened, or signed requests to its URL."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp

from tests.wire.slack.fake_slack import SIGNING_SECRET
from tests.wire.slack.socket_mode import ACK_SECONDS


class Door(Protocol):
    """Sends a payload and returns what the app's acknowledgement carried."""

    async def send(self, kind: str, payload: dict[str, Any], *, retry: int = 0) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequests:
    """Requests to `url`, signed as Slack signs them; `age` makes the timestamp that much older."""

    url: str
    secret: str = SIGNING_SECRET
    age: int = 0

    async def send(self, kind: str, payload: dict[str, Any], *, retry: int = 0) -> dict[str, Any]:
        status, text = await self.post(kind, payload, retry=retry)
        assert status == 200, f"{kind}: {status} {text}"
        return json.loads(text) if text.startswith("{") else {}

    async def post(self, kind: str, payload: dict[str, Any], *, retry: int = 0) -> tuple[int, str]:
        """The status and the body that the app answers, within the time that Slack allows."""
        body, content_type = _encoded(kind, payload)
        timestamp = str(int(time.time()) - self.age)
        signature = hmac.new(self.secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content_type, "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
        }  # fmt: skip
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        timeout = aiohttp.ClientTimeout(total=ACK_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self.url, data=body.encode(), headers=headers) as answer,
        ):
            return answer.status, await answer.text()


def _encoded(kind: str, payload: dict[str, Any]) -> tuple[str, str]:
    form = "application/x-www-form-urlencoded"
    match kind:
        case "slash_commands":
            return urlencode(payload), form
        case "interactive":
            return urlencode({"payload": json.dumps(payload)}), form
        case _:
            return json.dumps(payload), "application/json"
