"""Slack's requests over HTTP: the signature first, over the bytes as they came, then everything else."""

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.assembly.http_edge import RefusalLog
from bot.slack.interaction import SlackInteraction, tenant_of_event

_log = logging.getLogger(__name__)

_TIMESTAMP: Final = re.compile("[0-9]{1,12}")
_STALE_SECONDS: Final = 300
_MAX_BODY: Final = 2**20
_BODY_SECONDS: Final = 10.0
WRONG_SHAPE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What reading a payload raises that is not what Slack sends."""

Answer = Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(slots=True, kw_only=True)
class SignedEdge:
    """Passes on what Slack has signed with `secret`; of everything else no more is seen than a line a minute."""

    secret: str
    answer: Answer
    clock: Callable[[], float] = time.time
    refused: RefusalLog = field(
        default_factory=lambda: RefusalLog(logger=_log, words="refused %d requests that are not Slack's")
    )

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request: 413 for one that is too large, 401 for an unsigned one, 400 for a malformed one."""
        try:
            body = await _body(request)
        except web.HTTPException as refusal:
            self.refused.note()
            return web.Response(status=refusal.status)
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not self._is_signed(body, timestamp, request.headers.get("X-Slack-Signature", "")):
            self.refused.note()
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        try:
            return await _answered(request, body, self.answer, check=_check_payload)
        except WRONG_SHAPE:
            _log.exception("a payload that Slack has signed could not be read")
            return web.Response(status=HTTPStatus.BAD_REQUEST)

    def _is_signed(self, body: bytes, timestamp: str, signature: str) -> bool:
        if not _TIMESTAMP.fullmatch(timestamp) or abs(self.clock() - int(timestamp)) > _STALE_SECONDS:
            return False
        digest = hmac.new(self.secret.encode(), b"v0:%s:%s" % (timestamp.encode(), body), hashlib.sha256).hexdigest()
        return hmac.compare_digest(f"v0={digest}".encode(), signature.encode(errors="surrogateescape"))


def open_route(answer: Answer) -> Handler:
    """The handler of a page that anyone may ask for: what is malformed is refused in a status, and not logged."""

    async def handle(request: web.Request) -> web.Response:
        return await _answered(request, b"", answer)

    return handle


async def _body(request: web.Request) -> bytes:
    """The bytes of a request; raises HTTPException where they are too many, too slow or broken."""
    if (request.content_length or 0) > _MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(max_size=_MAX_BODY, actual_size=request.content_length or 0)
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.clone(client_max_size=_MAX_BODY).read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, OSError, ValueError):
        raise web.HTTPBadRequest from None


async def _answered(
    request: web.Request, body: bytes, answer: Answer, check: Callable[[AsyncBoltRequest], None] = lambda _request: None
) -> web.Response:
    try:
        read = AsyncBoltRequest(body=body.decode(), query=request.query_string, headers=_headers(request))
        check(read)
    except WRONG_SHAPE:
        return web.Response(status=HTTPStatus.BAD_REQUEST)
    return await to_aiohttp_response(await answer(read))


def _headers(request: web.Request) -> dict[str, Any]:
    """The headers, those that are no text left out."""
    return {name: value for name, value in request.headers.items() if value.isprintable()}


def _check_payload(request: AsyncBoltRequest) -> None:
    """Raise one of WRONG_SHAPE for a payload that says not who asks from where."""
    body = request.body
    if body.get("type") == "event_callback":
        tenant_of_event(body)
        body["event"].get("type")
    elif "command" in body:
        SlackInteraction.of_command(body)
    elif "user" in body:
        SlackInteraction.of_interactivity(body)
