"""A workspace is a guild, and the removal of an organisation reaches all of its workspaces."""

from bot.slack.guilds import SlackGuilds
from bot.slack.tenant import Tenant
from handlers.commands.context import AppContext
from storage.guilds.guilds import GuildSettings
from storage.platform import Platform
from tests.bot.slack.conftest import interaction


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

    await guilds.remove(Tenant(team_id="T1", org_id="E1"))

    assert await _there(context) == ["T3"]


async def test_a_workspace_that_returns_is_there_again(context: AppContext, guilds: SlackGuilds) -> None:
    """Its data is kept if it comes back in time."""
    first = await guilds.guild(interaction("T1"))
    await guilds.remove(Tenant(team_id="T1"))
    assert await _there(context) == []

    assert (await guilds.guild(interaction("T1"))).id == first.id
    assert await _there(context) == ["T1"]
