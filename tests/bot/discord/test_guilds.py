"""Servers come and go, and see nothing of each other."""

from storage.platform import Platform
from tests.bot.discord.conftest import World, interact, words


async def test_two_servers_see_nothing_of_each_other(world: World) -> None:
    """Jobs, numbers and suggestions belong to the server in which they were asked for."""
    _, elsewhere, bob = world.server("Elsewhere")
    await world.ada.slash(world.channel, "imagine", prompt="a secret")
    job = (await world.claim()).job

    cancelled = await bob.slash(elsewhere, "cancel", job=job.id)
    suggestions = await bob.autocomplete(elsewhere, "cancel", "job", "")
    queue = await bob.slash(elsewhere, "queue")

    assert cancelled.response is not None
    assert queue.response is not None
    assert "There is no job" in words(cancelled.response)
    assert suggestions == []
    assert "secret" not in words(queue.response)


async def test_a_direct_message_is_a_place_of_ones_own(world: World) -> None:
    """Everybody is their own admin there, and what is made is theirs alone."""
    await interact(world, guild=False, authorizing_integration_owners={"0": "0"})

    job = (await world.claim()).job
    guild = await world.context.guilds.get(job.guild_id)
    assert guild is not None
    assert guild.external_id == f"dm-{world.ada.id}"


async def test_a_server_that_removes_us_is_marked_for_deletion(world: World) -> None:
    """Its data goes after a period of grace; an invitation before that keeps it."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]

    guild = world.client.get_guild(world.guild.id)
    assert guild is not None
    await world.client.on_guild_remove(guild)
    assert await world.context.guilds.all(Platform.DISCORD) == ()

    await world.client.on_guild_join(guild)
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]


async def test_a_server_that_removed_us_while_we_were_away_is_noticed(world: World) -> None:
    """At the next start the list of servers is compared with what is stored."""
    await world.context.guilds.ensure(Platform.DISCORD, "12345", "Long Gone")

    await world.restart()

    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]
