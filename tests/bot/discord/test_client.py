"""The client: commands published when they change, buttons that work after weeks and restarts."""

import asyncio

import discord
import pytest

from bot.discord import uploads
from bot.discord.publication import publish
from handlers.jobs.payloads import REQUEST
from storage.queue.jobs import JobState
from tests.bot.discord.conftest import World, finished, labels, words


async def test_again_makes_the_same_with_another_seed(world: World) -> None:
    """Anybody in the server may; it is a new message and a job of the one who clicked."""
    message = await finished(world, seed=7, steps=9)

    await world.admin.click(message, label="Again")

    job = (await world.claim()).job
    request = REQUEST.read(job.payload)
    assert (request.prompt, request.steps, request.seed) == ("red fox", 9, 42)
    assert job.member_name == "boss"


async def test_a_variation_starts_from_the_images_own_noise(world: World) -> None:
    """Its seed stays; a second seed bends the noise, a little or a lot, and variations of variations add up."""
    message = await finished(world, seed=7, count=2)

    await world.ada.click(message, label="Subtle 2")
    first = REQUEST.read((claim := await world.claim()).job.payload)
    await world.finish(claim)
    await world.ada.click(world.last, label="Vary 1")
    second = REQUEST.read((await world.claim()).job.payload)

    assert (first.seed, [step.strength for step in first.variations]) == (8, [0.15])
    assert (second.seed, [step.strength for step in second.variations]) == (8, [0.15, 0.45])


async def test_buttons_work_after_a_restart(world: World) -> None:
    """Nothing of a message is kept in memory; its buttons are found by their ids."""
    message = await finished(world)

    await world.restart()
    result = await world.ada.click(message, label="Info")

    assert result.response is not None
    assert result.ephemeral
    assert "/imagine prompt:red fox --count 1 --seed 42 --steps 20" in words(result.response)
    assert "Asked by ada" in words(result.response)


async def test_two_clicks_at_once_do_one_thing(world: World) -> None:
    """The second is received and ignored; after a moment the button works again."""
    message = await finished(world)

    await world.ada.click(message, label="Again")
    await world.ada.click(message, label="Again")
    jobs = await world.context.queue.guild_jobs(1, states=(JobState.QUEUED,))
    world.clock.advance(10)
    await world.ada.click(message, label="Again")

    assert len(jobs) == 1
    assert len(await world.context.queue.guild_jobs(1, states=(JobState.QUEUED,))) == 2


async def test_clicks_in_two_processes_do_one_thing(world: World) -> None:
    """The record is in the database, one statement, so the race is settled there."""
    first = await asyncio.gather(*(world.context.clicks.is_first("one click") for _ in range(8)))

    assert sorted(first) == [False] * 7 + [True]


async def test_only_the_owner_or_a_moderator_deletes(world: World) -> None:
    """Another member is told whose it is; the owner's click takes the message and the images away."""
    message = await finished(world)
    bob = world.guild.add_member(world.env.create_user("bob"))

    refused = await bob.click(message, label="Delete")
    await world.ada.click(message, label="Delete")

    assert "This is ada's" in words(refused.followups[0])
    assert world.channel.history() == []
    assert await world.context.queue.get(1, 1) is None


async def test_a_moderator_deletes_what_others_made(world: World) -> None:
    """Who may manage messages here may delete ours."""
    role = world.guild.create_role("Mods", permissions=discord.Permissions(manage_messages=True))
    mod = world.guild.add_member(world.env.create_user("mod"), roles=[role])
    message = await finished(world)

    await mod.click(message, label="Delete")

    assert world.channel.history() == []


async def test_delete_takes_every_message_of_a_split_result(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one message could not hold went on in others; they go with it, after a restart too."""
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    await world.ada.slash(world.channel, "imagine", prompt="red fox", count=3)
    await world.finish(await world.claim())
    parts = world.channel.history()
    [first] = [message for message in parts if "Delete" in labels(message)]
    assert len(parts) == 3

    await world.restart()
    await world.ada.click(first, label="Delete")

    assert world.channel.history() == []


async def test_what_only_the_member_can_take_away_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The further messages of a private result are out of the bot's reach; the images are deleted all the same."""
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    shown = await world.ada.slash(world.channel, "imagine", prompt="red fox", count=2, private=True)
    await world.finish(await world.claim())
    assert shown.response is not None

    result = await world.ada.click(shown.response, label="Delete")

    assert "Dismiss message" in words(result.followups[-1])
    assert await world.context.queue.get(1, 1) is None


async def test_save_sends_the_images_to_the_one_who_clicked(world: World) -> None:
    """In a direct message, and says so to them alone."""
    message = await finished(world, count=2)

    result = await world.admin.click(message, label="Save")

    saved = world.admin.user.dm_channel.last_message
    assert saved is not None
    assert len(saved.attachments) == 2
    assert result.response is not None
    assert "Sent to you" in words(result.response)


async def test_a_button_of_another_version_says_so(world: World) -> None:
    """Ids live for ever; one that is no longer understood is answered in a sentence."""
    channel = world.client.get_partial_messageable(world.channel.id)
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Old", custom_id="v1:paint:1:0"))
    view.stop()
    with world.env.time_context():
        await channel.send("an old message", view=view)

    result = await world.ada.click(world.last, label="Old")

    assert result.response is not None
    assert "another version" in words(result.response)


async def test_commands_are_published_only_when_they_changed(world: World) -> None:
    """Discord allows 200 creations a day; a restart costs none."""
    before = sum(call.method == "PUT" for call in world.env.http_requests)

    await world.restart()
    assert sum(call.method == "PUT" for call in world.env.http_requests) == before

    await world.context.notes.put(f"discord commands of {world.client.application_id}", "of an older version")
    with world.env.time_context():
        assert await publish(world.client.tree, world.context.notes, world.client.application_id or 0)
