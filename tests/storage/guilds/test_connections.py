"""Several applications serve one guild: each comes and goes by itself, and the data stays as long as one is there."""

from storage.guilds.connections import Connections
from storage.guilds.guilds import Guild, GuildSettings, GuildStore
from storage.platform import Platform
from tests.fakes import FakeClock


async def test_each_application_has_its_own_guilds(connections: Connections, guild: Guild, other_guild: Guild) -> None:
    """Of one platform only, and none that it left."""
    await connections.connect(guild.id, "first")
    await connections.connect(guild.id, "second")
    await connections.connect(other_guild.id, "first")

    await connections.disconnect(guild.id, "first")

    assert await connections.guilds(Platform.DISCORD, "first") == ()
    assert await connections.guilds(Platform.DISCORD, "second") == (guild,)
    assert await connections.guilds(Platform.SLACK, "first") == (other_guild,)
    assert await connections.find(guild.id, "first") is None
    assert await connections.find(guild.id, "second") == guild


async def test_a_guild_is_kept_while_one_application_serves_it(
    guilds: GuildStore, connections: Connections, guild: Guild, clock: FakeClock
) -> None:
    """However long ago another left it; when the last one has left, the period of grace begins."""
    await connections.connect(guild.id, "first")
    await connections.connect(guild.id, "second")
    await connections.disconnect(guild.id, "first")

    clock.now += 1000
    assert await guilds.purge(100) == 0
    assert await guilds.all(Platform.DISCORD) == (guild,)
    await connections.disconnect(guild.id, "second")
    clock.now += 99
    assert await guilds.purge(100) == 0
    assert await guilds.all(Platform.DISCORD) == ()
    clock.now += 1
    assert await guilds.purge(100) == 1
    assert await guilds.get(guild.id) is None


async def test_what_comes_back_in_time_finds_all(
    guilds: GuildStore, connections: Connections, guild: Guild, clock: FakeClock
) -> None:
    """The same guild with its settings, and the next departure counts from its own time."""
    await connections.connect(guild.id, "bot")
    await guilds.save_settings(guild.id, GuildSettings(max_steps=9), "ann")
    await connections.disconnect(guild.id, "bot")
    clock.now += 99

    await connections.connect(guild.id, "bot")
    clock.now += 1000

    assert await guilds.purge(100) == 0
    found = await connections.find(guild.id, "bot")
    assert found is not None
    assert found.settings.max_steps == 9


async def test_a_departure_that_is_told_twice_counts_from_the_first(
    guilds: GuildStore, connections: Connections, guild: Guild, clock: FakeClock
) -> None:
    """Platforms repeat events; one that was never there changes nothing by leaving."""
    await connections.connect(guild.id, "bot")
    await connections.disconnect(guild.id, "bot")
    clock.now += 60
    await connections.disconnect(guild.id, "bot")
    await connections.disconnect(guild.id, "never here")
    clock.now += 40

    assert await guilds.purge(100) == 1


async def test_a_guild_that_is_just_being_stored_is_not_purged(guilds: GuildStore, guild: Guild) -> None:
    """It is connected a moment later."""
    assert await guilds.purge(0) == 0
    assert await guilds.get(guild.id) == guild
