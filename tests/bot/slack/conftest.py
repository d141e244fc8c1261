"""Slack without Slack: workspaces whose clients answer as a test says, and guilds over them."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.answers import Answers
from bot.slack.chat_platform import SlackPlatform
from bot.slack.client import RateLimitedClient
from bot.slack.command_names import CommandNames
from bot.slack.guilds import SlackGuilds
from bot.slack.interaction import SlackInteraction
from bot.slack.members import Members
from bot.slack.pending_uploads import PendingUploads
from bot.slack.rate_limit import RateLimit
from bot.slack.rendering import Renderer
from bot.slack.tenant import Tenant
from bot.slack.uploads import Uploads
from bot.slack.workspaces import BotIdentity
from handlers.commands.context import AppContext


def answered(data: Any, status: int = 200) -> AsyncSlackResponse:
    """An answer of Slack's Web API."""
    return AsyncSlackResponse(
        client=AsyncWebClient(), http_verb="POST", api_url="", req_args={}, data=data, headers={}, status_code=status
    )


def refused(code: str) -> SlackApiError:
    """The error with which slack_sdk reports a refusal."""
    return SlackApiError(code, answered({"ok": False, "error": code}))  # type: ignore[no-untyped-call]  # the SDK's


class FakeClient(RateLimitedClient):
    """A client that sends nothing: `calls` are those made, `refusals` the codes that answer a method's next calls."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(token="xoxb", base_url="", session=session, rate_limit=RateLimit())
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusals: dict[str, list[str]] = defaultdict(list)
        self.answers: dict[str, dict[str, Any]] = {}

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        body = arguments.get("json") or arguments.get("params") or {}
        self.calls.append((api_method, dict(body)))
        if self.refusals[api_method]:
            raise refused(self.refusals[api_method].pop(0))
        return answered({"ok": True, **self.answers.get(api_method, {})})

    def made(self, api_method: str) -> list[dict[str, Any]]:
        """The arguments of each call of a method."""
        return [body for method, body in self.calls if method == api_method]


@dataclass(slots=True)
class FakeWorkspaces:
    """Workspaces that share one client; remembers which were forgotten."""

    only: FakeClient
    forgotten: list[Tenant] = field(default_factory=list)

    async def client(self, tenant: Tenant) -> FakeClient:
        return self.only

    async def identity(self, tenant: Tenant) -> BotIdentity:
        return BotIdentity(token=f"xoxb-{tenant.text}", bot_id="B0", user_id="U0", team_id=tenant.team_id)

    async def forget(self, tenant: Tenant) -> None:
        self.forgotten.append(tenant)


@pytest.fixture
async def client() -> AsyncIterator[FakeClient]:
    async with aiohttp.ClientSession() as session:
        yield FakeClient(session)


@pytest.fixture
def workspaces(client: FakeClient) -> FakeWorkspaces:
    return FakeWorkspaces(client)


@pytest.fixture
def guilds(context: AppContext, workspaces: FakeWorkspaces) -> SlackGuilds:
    return SlackGuilds(context=context, members=Members(workspaces=workspaces))


@pytest.fixture
def chat(context: AppContext, client: FakeClient, workspaces: FakeWorkspaces) -> SlackPlatform:
    assert client.session is not None
    renderer = Renderer(names=CommandNames(), commands=context.commands)
    return SlackPlatform(
        workspaces=workspaces, outbox=context.outbox, pending=PendingUploads(notes=context.notes), renderer=renderer,
        uploads=Uploads(client.session),
    )  # fmt: skip


@pytest.fixture
def answers(client: FakeClient, workspaces: FakeWorkspaces, chat: SlackPlatform) -> Answers:
    assert client.session is not None
    return Answers(workspaces=workspaces, chat=chat, session=client.session)


async def acknowledge(**_: Any) -> None:
    """Slack takes every acknowledgement."""


def interaction(team_id: str = "T1", org_id: str | None = None, **changes: Any) -> SlackInteraction:
    """Ada's interaction in a workspace's channel C1."""
    values: dict[str, Any] = {
        "tenant": Tenant(team_id=team_id, org_id=org_id), "team_name": f"team {team_id}", "user_id": "U1",
        "user_name": "ada", "channel_id": "C1", "application_id": "A111",
    }  # fmt: skip
    return SlackInteraction(**{**values, **changes})
