"""A Slack on loopback that enforces what Slack enforces; `violations` holds what the app under test did wrong."""

import asyncio
import base64
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.wire.slack.block_judge import message_complaints
from tests.wire.slack.rate_limits import RateLimits
from tests.wire.slack.socket_mode import SocketMode
from tests.wire.slack.specification import Method, method
from tests.wire.slack.tickets import ResponseUrls, Triggers
from tests.wire.slack.web_api import METHODS, Call, Refused
from tests.wire.slack.workspace import PostedMessage, Workspace, new_ts

APP_TOKEN: Final = "xapp-1-A111-token"
SIGNING_SECRET: Final = "0123456789abcdef0123456789abcdef"
CLIENT_ID: Final = "111.222"
CLIENT_SECRET: Final = "client-secret"
TOKEN_SECONDS: Final = 43_200
# Slack documents none for these: tokens of both kinds may call them.
_FREE: Final = {"oauth.v2.access", "apps.connections.open"}

_numbers = itertools.count(1)


@dataclass(slots=True)
class FakeSlack:
    """The server; `shift` moves its clock, `calls` holds each Web API call as (team, method, arguments).

    What the `unanswered` methods do is done, and their answers wait until the set no longer names them. While it
    `is_down`, its API answers no call.
    """

    workspaces: dict[str, Workspace] = field(default_factory=dict)
    origin: str = ""
    shift: float = 0.0
    rotates: bool = False
    violations: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    is_down: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    view_opened: asyncio.Event = field(default_factory=asyncio.Event)
    rate_limits: RateLimits = field(init=False)
    triggers: Triggers = field(init=False)
    response_urls: ResponseUrls = field(init=False)
    sockets: SocketMode = field(init=False)

    def __post_init__(self) -> None:
        self.rate_limits = RateLimits(clock=self.now)
        self.triggers = Triggers(clock=self.now)
        self.response_urls = ResponseUrls(clock=self.now)
        self.sockets = SocketMode(self.violations)

    def now(self) -> float:
        """Seconds on the fake's clock."""
        return time.monotonic() + self.shift

    @property
    def api_base(self) -> str:
        """What SLACK_API_BASE is set to."""
        return f"{self.origin}/api/"

    def add(self, workspace: Workspace) -> Workspace:
        """Put a workspace in."""
        self.workspaces[workspace.team_id] = workspace
        return workspace

    def code_for(self, workspace: Workspace) -> str:
        """A one-time OAuth code, as after a click on "Allow"."""
        code = f"code-{next(_numbers)}"
        self.codes[code] = workspace.team_id
        return code

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of every call of a method so far."""
        return [arguments for _, called, arguments in self.calls if called == name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeSlack"]:
        """Serve on a free port until the block ends."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/upload/{team}/{file}", self._upload)
        app.router.add_post("/response/{number}", self._respond)
        app.router.add_get("/files-pri/{team}/{file}/{name}", self._download)
        app.router.add_get("/link", self.sockets.accept)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await self.sockets.close()
            await runner.cleanup()

    async def _api(self, request: web.Request) -> web.Response:
        if self.is_down:
            return web.Response(status=503, text="<!DOCTYPE html><html><body>Slack is down</body></html>")
        name = request.match_info["method"]
        arguments = await _arguments(request)
        specification = method(name)
        if specification is None:
            self.violations.append(f"{name} is no method that this app may call")
            return web.json_response({"ok": False, "error": "unknown_method"})
        self.violations += specification.complaints(arguments)
        if name in _FREE:
            return self._say(specification, self._without_workspace(name, request, arguments))
        workspace = self._by_token(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if isinstance(workspace, str):
            return self._say(specification, {"ok": False, "error": workspace})
        wait = self.rate_limits.seconds_to_wait(name, workspace.team_id, arguments.get("channel"))
        if wait:
            headers = {"Retry-After": str(max(1, round(wait + 0.5)))}
            return self._say(specification, {"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        self.calls.append((workspace.team_id, name, arguments))
        headers = {"x-oauth-scopes": ",".join(sorted(workspace.scopes))}
        call = Call(slack=self, workspace=workspace, method=name, arguments=arguments)
        return self._say(specification, await self._answer(specification, call), headers=headers)

    def _say(
        self, specification: Method, answer: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        """Answer, and note what Slack would not have said: a test must not rest on that."""
        self.violations += specification.false_words(answer)
        return web.json_response(answer, status=status, headers=headers)

    async def _answer(self, specification: Method, call: Call) -> dict[str, Any]:
        if specification.scopes and not specification.scopes & call.workspace.scopes:
            needed = ",".join(sorted(specification.scopes))
            return {
                "ok": False,
                "error": "missing_scope",
                "needed": needed,
                "provided": ",".join(call.workspace.scopes),
            }
        troubles = call.workspace.troubles.get(call.method)
        if troubles:
            return {"ok": False, "error": troubles.pop(0)}
        try:
            answer = {"ok": True, **await METHODS[call.method](call)}
        except Refused as refused:
            answer = {"ok": False, "error": str(refused)}
        await self._tell()
        async with self.changed:
            await self.changed.wait_for(lambda: call.method not in self.unanswered)
        return answer

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _by_token(self, token: str) -> Workspace | str:
        """The workspace of a token, or the error that Slack answers for it."""
        for workspace in self.workspaces.values():
            if token in workspace.revoked:
                return "token_revoked"
            if token == workspace.token:
                return workspace
        return "not_authed" if not token else "invalid_auth"

    def _without_workspace(self, name: str, request: web.Request, arguments: dict[str, Any]) -> dict[str, Any]:
        if name == "apps.connections.open":
            if request.headers.get("Authorization") != f"Bearer {APP_TOKEN}":
                return {"ok": False, "error": "invalid_auth"}
            return {"ok": True, "url": f"{self.origin.replace('http', 'ws', 1)}/link"}
        basic = request.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(basic).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return {"ok": False, "error": "bad_client_secret"}
        return self._exchange(arguments)

    def _exchange(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """A code or a refresh token for an access token; each can be used once."""
        if arguments.get("grant_type") == "refresh_token":
            found = [w for w in self.workspaces.values() if w.refresh_token == arguments.get("refresh_token")]
            if not found:
                return {"ok": False, "error": "invalid_refresh_token"}
            workspace = found[0]
            workspace.revoked.add(workspace.token)
            workspace.token = f"xoxe.xoxb-{next(_numbers)}"
        else:
            team = self.codes.pop(arguments.get("code", ""), None)
            if team is None:
                return {"ok": False, "error": "invalid_code"}
            workspace = self.workspaces[team]
        expiry: dict[str, Any] = {}
        if self.rotates:
            workspace.refresh_token = f"xoxe-1-{next(_numbers)}"
            expiry = {"refresh_token": workspace.refresh_token, "expires_in": TOKEN_SECONDS}
        enterprise = {"id": workspace.enterprise_id, "name": "Org"} if workspace.enterprise_id else None
        return {
            "ok": True, "app_id": "A111", "token_type": "bot", "access_token": workspace.token,
            "scope": ",".join(sorted(workspace.scopes)), "bot_user_id": workspace.bot_user,
            "team": None if workspace.org_wide else {"id": workspace.team_id, "name": workspace.name},
            "enterprise": enterprise, "is_enterprise_install": workspace.org_wide,
            "authed_user": {"id": "UEVE"}, **expiry,
        }  # fmt: skip

    async def _upload(self, request: web.Request) -> web.Response:
        file = self.workspaces[request.match_info["team"]].files[request.match_info["file"]]
        data = await _body(request)
        if len(data) != file.length:
            self.violations.append(f"{file.name} was announced with {file.length} bytes and came with {len(data)}")
            return web.Response(status=400)
        file.data = data
        return web.Response(text=f"OK - {len(data)}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        workspace = self.workspaces[request.match_info["team"]]
        file = workspace.files[request.match_info["file"]]
        if request.headers.get("Authorization") != f"Bearer {workspace.token}" or "files:read" not in workspace.scopes:
            return web.Response(
                text="<!DOCTYPE html><html><body>Sign in to Slack</body></html>", content_type="text/html"
            )
        if file.name == "elsewhere.png":
            return web.Response(status=302, headers={"Location": f"{self.origin}/stolen"})
        return web.Response(body=file.data, content_type=file.mimetype)

    async def _respond(self, request: web.Request) -> web.Response:
        url = self.response_urls.redeem(request.match_info["number"])
        if url is None:
            self.violations.append("a response_url was used too late or too often")
            return web.Response(status=404, text="expired_url")
        body = await request.json()
        blocks = body.get("blocks") or []
        if not body.get("delete_original"):
            self.violations += [f"response_url: {c}" for c in message_complaints(body.get("text"), blocks)]
            private = body.get("response_type", "ephemeral") == "ephemeral"
            self.workspaces[url.team_id].messages.append(
                PostedMessage(
                    ts=new_ts(), channel=url.channel, text=body.get("text", ""), blocks=blocks,
                    ephemeral_for=url.user if private else None,
                )
            )  # fmt: skip
        await self._tell()
        return web.json_response({"ok": True})


async def _arguments(request: web.Request) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        arguments |= await request.json()
    elif request.method == "POST":
        arguments |= dict(await request.post())
    return arguments


async def _body(request: web.Request) -> bytes:
    """An upload's bytes, raw or as the one part of a form."""
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    part = next(iter((await request.post()).values()))
    return part.file.read() if isinstance(part, web.FileField) else str(part).encode()
