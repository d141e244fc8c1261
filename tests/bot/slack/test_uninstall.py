"""A workspace that uninstalls us: its token goes at once, its data after a period of grace."""

import pytest

from bot.slack.guilds import SlackGuilds
from bot.slack.tenant import Tenant
from bot.slack.uninstall import Uninstall
from handlers.commands.context import AppContext
from storage.platform import Platform
from tests.bot.slack.conftest import FakeWorkspaces, acknowledge


@pytest.fixture
def uninstall(guilds: SlackGuilds, workspaces: FakeWorkspaces) -> Uninstall:
    return Uninstall(guilds=guilds, workspaces=workspaces)


async def test_an_uninstalled_workspace_is_marked_for_deletion(
    context: AppContext, uninstall: Uninstall, workspaces: FakeWorkspaces
) -> None:
    """Slack may send the event twice."""
    guild = await context.guilds.ensure(Platform.SLACK, "T1", "pixels")
    await context.connections.connect(guild.id, "A111")

    for _ in range(2):
        await uninstall.uninstalled(
            acknowledge, {"api_app_id": "A111", "team_id": "T1", "event": {"type": "app_uninstalled"}}
        )

    assert set(workspaces.forgotten) == {Tenant(team_id="T1")}
    assert await context.guilds.all(Platform.SLACK) == ()


@pytest.mark.parametrize(("tokens", "forgotten"), [({"bot": ["B1"]}, 1), ({"oauth": ["U1"]}, 0)])
async def test_only_the_bots_revoked_token_matters(
    uninstall: Uninstall, workspaces: FakeWorkspaces, tokens: dict[str, list[str]], forgotten: int
) -> None:
    """No user's token is ever asked for."""
    await uninstall.revoked(acknowledge, {"team_id": "T1", "event": {"tokens": tokens}})

    assert len(workspaces.forgotten) == forgotten
