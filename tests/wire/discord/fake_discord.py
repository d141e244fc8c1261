"""A Discord on loopback: REST, files and gateway over simcord's world; every request is held to Discord's document."""

import asyncio
import contextlib
import fnmatch
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from simcord.backend import Backend
from simcord.backend.cdn import CDN_BASE
from simcord.backend.errors import BackendError
from simcord.http import router
from simcord.http import routes as _routes

from tests.wire.discord.gateway import Gateway
from tests.wire.discord.specification import discords_own

TOKEN = "fake.discord.token"
_API = "/api/v10"

assert _routes  # importing it registers the routes


class RealClock:
    """The wall clock, which a test may set forward: tokens run out by Discord's clock alone."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds


@dataclass(slots=True, kw_only=True)
class Fault:
    """The next `times` requests that match are answered with `status`, before or after they took effect.

    Where `file` is given, only those that bring a file of such a name.
    """

    method: str
    path: str
    status: int
    code: int = 0
    times: int = 1
    retry_after: float | None = None
    takes_effect: bool = False
    file: str = ""


@dataclass(slots=True)
class FakeDiscord:
    """The world (`backend`), what was asked of it (`requests`) and what of that was wrong (`violations`).

    One that does not `judges` answers sooner, for measurements.
    """

    backend: Backend = field(default_factory=lambda: Backend(clock=RealClock()))  # type: ignore[arg-type] # as simcord's
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    url: str = ""
    token: str = TOKEN
    judges: bool = True
    gateway: Gateway = field(init=False)
    _nonces: dict[tuple[str, str], Any] = field(default_factory=dict)
    _unsent: "asyncio.Queue[tuple[str, Mapping[str, Any]]]" = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.gateway = Gateway(backend=self.backend, token=self.token)
        self.backend.subscribers.append(lambda event, payload: self._unsent.put_nowait((event, payload)))

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which Limner finds this Discord."""
        return {
            "DISCORD_TOKEN": self.token,
            "DISCORD_API_BASE": f"{self.url}{_API}",
            "DISCORD_GATEWAY_URL": self.gateway.url,
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeDiscord"]:
        """Listen until the block ends."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        app.router.add_get("/attachments/{tail:.*}", self._file)
        app.router.add_route("*", _API + "/{path:.*}", self._api)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.gateway.url = self.url.replace("http", "ws") + "/gateway"
        announcing = asyncio.create_task(self._announce())
        try:
            yield self
        finally:
            announcing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await announcing
            await runner.cleanup()

    def count(self, method: str, path: str) -> int:
        """How many requests of that kind there were; `path` may hold wildcards."""
        return sum(method == made and fnmatch.fnmatch(at, path) for made, at, _ in self.requests)

    async def revoke(self) -> None:
        """The application's owner takes the token back for a new one."""
        self.token = self.gateway.token = "another.discord.token"
        await self.gateway.drop(code=4004)

    async def _announce(self) -> None:
        while True:
            event, payload = await self._unsent.get()
            if not event.startswith("MESSAGE_"):  # nobody asked for those: the bot has the guilds' intent alone
                await self.gateway.send(event, payload)

    async def _api(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        body, files = await _read(request)
        self.requests.append((request.method, path, body))
        if self.judges and (wrong := discords_own().violation(request.method, path, body)):
            self.violations.append(wrong)
        if not _is_public(path) and request.headers.get("Authorization") != f"Bot {self.token}":
            return _json({"message": "401: Unauthorized", "code": 0}, 401)
        fault = self._fault(request.method, path, body)
        if fault is not None and not fault.takes_effect:
            return _refusal(fault)
        answer = self._answer(request.method, path, body, files, dict(request.query))
        return answer if fault is None else _refusal(fault)

    def _answer(self, method: str, path: str, body: Any, files: list[Any], query: dict[str, str]) -> web.Response:
        if path == "/gateway/bot":
            limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
            return _json({"url": self.gateway.url, "shards": 1, "session_start_limit": limit})
        key = (path, str(body.get("nonce"))) if isinstance(body, dict) and body.get("enforce_nonce") else None
        if key is not None and key in self._nonces:
            return _json(self._nonces[key])
        try:
            answer = router.dispatch(self.backend, method, path, json=body, params=query, files=files)
        except BackendError as error:
            return _json(error.to_json(), error.status)
        if answer is None:
            return web.Response(status=204)
        payload = json.loads(json.dumps(answer).replace(CDN_BASE, self.url))
        if key is not None:
            self._nonces[key] = payload
        return _json(payload)

    def _fault(self, method: str, path: str, body: Any) -> Fault | None:
        brought = [each["filename"] for each in (body or {}).get("attachments") or ()] if isinstance(body, dict) else []
        for fault in self.faults:
            matches = fault.method == method and fnmatch.fnmatch(path, fault.path) and fault.times > 0
            if matches and (not fault.file or fnmatch.filter(brought, fault.file)):
                fault.times -= 1
                return fault
        return None

    async def _file(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, None))
        data = self.backend.cdn.get(CDN_BASE + request.path)
        return web.Response(body=data) if data is not None else web.Response(status=404)


async def _read(request: web.Request) -> tuple[Any, list[Any]]:
    """The JSON body and the uploaded files, described as the message describes them."""
    if not request.content_type.startswith("multipart/"):
        text = await request.text()
        return (json.loads(text) if text else None), []
    parts = await request.post()
    body = json.loads(str(parts["payload_json"]))
    listed = body.get("data", body).get("attachments", [])
    descriptions = {str(each["id"]): each.get("description") for each in listed}
    files = []
    for name, part in parts.items():
        if isinstance(part, web.FileField):
            number = name.removeprefix("files[").removesuffix("]")
            data = io.BytesIO(part.file.read())
            files.append(SimpleNamespace(fp=data, filename=part.filename, description=descriptions.get(number)))
    return body, files


def _is_public(path: str) -> bool:
    """Whether a path carries its own token instead of the bot's."""
    return path.startswith(("/interactions/", "/webhooks/"))


def _refusal(fault: Fault) -> web.Response:
    if fault.status != 429:
        return _json({"message": "refused by a test", "code": fault.code}, fault.status)
    seconds = fault.retry_after or 0.1
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
    return _json(body, 429, {"Retry-After": str(seconds), "Via": "1.1 google"})


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    # discord.py reads JSON only of exactly this type, without a charset.
    own = {**(headers or {}), "Content-Type": "application/json"}
    return web.Response(body=json.dumps(body).encode(), status=status, headers=own)
