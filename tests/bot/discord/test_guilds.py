"""Servers come and go, and see nothing of each other."""

from dataclasses import replace

import discord
import pytest
import simcord

from bot.discord.guilds import DiscordGuilds
from handlers.commands.context import AppContext
from handlers.context.allowed_guilds import AllowedGuilds
from storage.platform import Platform
from tests.bot.discord.conftest import World, interact, simulation, words
from tests.fakes import FakeClock, png, request
from tests.new_jobs import new_job


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
    gone = await world.context.guilds.ensure(Platform.DISCORD, "12345", "Long Gone")
    await world.context.connections.connect(gone.id, str(world.client.application_id))

    await world.restart()

    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]


async def test_two_bots_on_one_database_leave_each_others_servers_alone(world: World, clock: FakeClock) -> None:
    """Neither its list of servers, nor its removal from one of them, ends what the other serves there."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    (pixels,) = await world.context.guilds.all(Platform.DISCORD)
    second = DiscordGuilds(context=world.context)
    await second.open("second bot")
    await second.meet({"777": "Ink Works"})
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People", "Ink Works"]

    await world.restart()
    await second.meet({"777": "Ink Works", pixels.external_id: "Pixel People"})
    await second.remove(pixels.external_id)
    clock.advance(100 * 86_400)
    assert await world.context.guilds.purge(86_400) == 0
    guild = world.client.get_guild(world.guild.id)
    assert guild is not None
    await world.client.on_guild_remove(guild)
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Ink Works"]
    clock.advance(86_400)
    assert await world.context.guilds.purge(86_400) == 1


async def test_a_result_is_posted_by_the_bot_that_was_asked(world: World) -> None:
    """Another in the same server leaves it alone, until that one has left."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    claim = await world.claim()
    own = str(world.client.application_id)
    other = await world.context.queue.enqueue(
        new_job(
            claim.job.guild_id,
            str(world.ada.id),
            payload=claim.job.payload,
            reply=replace(world.address(), application_id="second bot"),
        )
    )
    await world.context.connections.connect(claim.job.guild_id, "second bot")
    await world.context.queue.cancel(claim.job.guild_id, other.id)
    await world.finish(claim)
    posted = len(world.channel.history())
    owed = await world.context.outbox.address(claim.job.guild_id, claim.job.id)

    assert owed is not None
    assert owed.application_id == own
    assert await world.context.outbox.posted_as(other.id) is None
    await world.context.connections.disconnect(claim.job.guild_id, "second bot")
    await world.deliver()

    assert await world.context.outbox.posted_as(other.id) is not None
    assert len(world.channel.history()) == posted + 1


async def test_a_server_that_two_processes_know_is_connected_by_the_one_that_hears_it_again(world: World) -> None:
    """The other process learnt that we were removed; this one is asked there, so we are back."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    (pixels,) = await world.context.guilds.all(Platform.DISCORD)
    await world.context.connections.disconnect(pixels.id, str(world.client.application_id))

    await world.ada.slash(world.channel, "imagine", prompt="owl")

    assert await world.context.guilds.all(Platform.DISCORD) == (pixels,)


def _said(result: simcord.InteractionResult) -> str:
    """All that came of an interaction, in words."""
    return _plain(*(message for message in (result.response, *result.followups) if message is not None))


def _plain(*messages: discord.Message | simcord.ResponseMessage) -> str:
    """What a reader of the messages sees, without the backslashes that keep Discord from reading markup."""
    return "\n".join(map(words, messages)).replace("\\", "")


@pytest.mark.usefixtures("simulated_files")
async def test_a_server_that_is_not_listed_is_told_whom_to_ask(context: AppContext, clock: FakeClock) -> None:
    """In its channel when it invites us, and by every command, click, form, suggestion and menu; nothing is queued."""
    closed = replace(context, allowed_guilds=AllowedGuilds.parse("discord:1"))
    async with simulation(context, clock) as world:
        await world.ada.slash(world.channel, "imagine", prompt="fox")
        await world.finish(await world.claim())
        assert await world.admin.autocomplete(world.channel, "settings", "default-model", "") != []
        posted = world.last
        image = await world.ada.send(world.channel, "look", attachments=[("fox.png", png(request()))])
        world.context = closed
        await world.restart()
        sentence = f"ask the person who runs it to add discord:{world.guild.id} to LIMNER_GUILDS"

        refused = [
            await world.ada.slash(world.channel, "imagine", prompt="fox"),
            await world.ada.slash(world.channel, "imagine", prompt="fox", advanced=True),
            await world.ada.slash(world.channel, "queue"),
            await world.ada.click(posted, label="Again"),
            await world.ada.click(posted, label="Edit"),
            await world.ada.click(posted, label="Info"),
            await world.ada.context_menu(world.channel, "Picture info", image),
            await world.ada.context_menu(world.channel, "Use as start image", image),
        ]
        suggestions = await world.admin.autocomplete(world.channel, "settings", "default-model", "")
        guild = world.client.get_guild(world.guild.id)
        assert guild is not None
        with world.env.time_context():
            await world.client.on_guild_join(guild)
        await world.env.settle()

        assert [sentence in _said(result) for result in refused] == [True] * len(refused)
        assert suggestions == []
        assert sentence in _plain(world.last)
        assert await context.queue.claim("a worker") is None
