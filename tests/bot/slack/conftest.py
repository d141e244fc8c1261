"""Workspaces without Slack, and guilds over them."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.slack.client import RateLimitedClient
from bot.slack.guilds import SlackGuilds
from bot.slack.members import Members
from bot.slack.tenant import Tenant
from bot.slack.workspaces import BotIdentity, NotInstalled
from handlers.context.context import AppContext


@dataclass(slots=True)
class FakeWorkspaces:
    """Workspaces in which nobody can speak; remembers who was forgotten."""

    forgotten: list[Tenant] = field(default_factory=list)

    async def client(self, tenant: Tenant) -> RateLimitedClient:
        raise NotInstalled(f"no Slack for {tenant.text}")

    async def identity(self, tenant: Tenant) -> BotIdentity:
        raise NotInstalled(f"no Slack for {tenant.text}")

    async def forget(self, tenant: Tenant) -> None:
        self.forgotten.append(tenant)


@pytest.fixture
def workspaces() -> FakeWorkspaces:
    return FakeWorkspaces()


@pytest.fixture
def guilds(context: AppContext, workspaces: FakeWorkspaces) -> SlackGuilds:
    return SlackGuilds(context=context, members=Members(workspaces=workspaces))


async def acknowledge(**_: Any) -> None:
    """Slack takes every acknowledgement."""
