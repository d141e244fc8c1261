"""A workspace is a guild, and the removal of an organisation reaches all of its workspaces."""

from dataclasses import replace

import pytest

from bot.slack.guilds import SlackGuilds
from bot.slack.members import Members
from bot.slack.tenant import Tenant
from handlers.commands.context import AppContext
from handlers.context.allowed_guilds import AllowedGuilds
from pipeline.errors import UserError
from storage.guilds.guilds import GuildSettings
from storage.platform import Platform
from tests.bot.slack.conftest import FakeWorkspaces, interaction
from tests.fakes import FakeClock


async def _there(context: AppContext) -> list[str]:
    return [guild.external_id for guild in await context.guilds.all(Platform.SLACK)]


async def test_a_workspace_is_one_guild_with_its_newest_settings(context: AppContext, guilds: SlackGuilds) -> None:
    """Settings that change between two interactions count for the second."""
    guild = await guilds.guild(interaction("T1"))
    await context.guilds.save_settings(guild.id, GuildSettings(max_steps=9), "ada")

    again = await guilds.guild(interaction("T1"))

    assert (again.id, again.settings.max_steps) == (guild.id, 9)
    assert await _there(context) == ["T1"]


async def test_an_organisations_removal_takes_the_workspaces_that_it_served(
    context: AppContext, guilds: SlackGuilds
) -> None:
    """Slack names none of them; a workspace that installed us by itself stays."""
    for each in (interaction("T1", "E1"), interaction("T2", "E1"), interaction("T3")):
        await guilds.guild(each)

    await guilds.remove(Tenant(team_id="T1", org_id="E1"), "A111")

    assert await _there(context) == ["T3"]


async def test_a_workspace_that_returns_is_there_again(context: AppContext, guilds: SlackGuilds) -> None:
    """Its data is kept if it comes back in time."""
    first = await guilds.guild(interaction("T1"))
    await guilds.remove(Tenant(team_id="T1"), "A111")
    assert await _there(context) == []

    assert (await guilds.guild(interaction("T1"))).id == first.id
    assert await _there(context) == ["T1"]


async def test_two_apps_in_one_workspace_come_and_go_by_themselves(
    context: AppContext, guilds: SlackGuilds, clock: FakeClock
) -> None:
    """The data stays while one of them is installed, under the name that the workspace has."""
    first = await guilds.guild(interaction("T1"))
    second = SlackGuilds(context=context, members=guilds.members)
    await second.guild(interaction("T1", application_id="A222"))

    await guilds.remove(Tenant(team_id="T1"), "A111")
    clock.advance(100)
    assert await context.guilds.purge(50) == 0
    assert (await second.guild(interaction("T1", application_id="A222"))).name == "team T1"
    await second.remove(Tenant(team_id="T1"), "A222")
    assert await _there(context) == []
    assert (await guilds.guild(interaction("T1"))).id == first.id


async def test_an_app_that_is_installed_again_keeps_the_workspace(
    context: AppContext, guilds: SlackGuilds, clock: FakeClock
) -> None:
    """Before anybody types a command; a workspace that was never here is not stored by that."""
    await guilds.guild(interaction("T1"))
    await guilds.remove(Tenant(team_id="T1"), "A111")

    await guilds.meet(Tenant(team_id="T1"), "A111")
    await guilds.meet(Tenant(team_id="T2"), "A111")

    clock.advance(100)
    assert await context.guilds.purge(50) == 0
    assert await _there(context) == ["T1"]


async def test_a_payload_that_does_not_name_the_app_is_of_the_one_that_we_are(
    context: AppContext, guilds: SlackGuilds
) -> None:
    """Shortcuts do not name it; what came before has told us."""
    await guilds.guild(interaction("T1"))

    await guilds.guild(interaction("T2", application_id=""))

    assert await _there(context) == ["T1", "T2"]
    assert [guild.external_id for guild in await context.connections.guilds(Platform.SLACK, "A111")] == ["T1", "T2"]


async def test_a_workspace_that_is_not_listed_is_no_guild(context: AppContext, workspaces: FakeWorkspaces) -> None:
    """Nothing of it is stored; one of a listed organisation is served."""
    closed = replace(context, allowed_guilds=AllowedGuilds.parse("slack:E1"))
    guilds = SlackGuilds(context=closed, members=Members(workspaces=workspaces))

    with pytest.raises(UserError, match="add slack:T1 to LIMNER_GUILDS"):
        await guilds.guild(interaction("T1"))
    with pytest.raises(UserError, match="LIMNER_GUILDS"):
        await guilds.caller(interaction("T1", "E2"))
    await guilds.guild(interaction("T2", "E1"))

    assert await _there(context) == ["T2"]
