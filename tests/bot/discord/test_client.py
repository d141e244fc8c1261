"""Buttons on Discord: they work after weeks and restarts, for those who may."""

import asyncio

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord import uploads
from bot.discord.message_ids import posted_ids, posted_text
from handlers.jobs.payloads import read_request
from storage.queue.jobs import JobState
from tests.bot.discord.conftest import World, labels, words


async def _finished(world: World, **values: str | int | bool) -> discord.Message:
    """A finished image's message in the channel."""
    await world.ada.slash(world.channel, "imagine", **{"prompt": "red fox", **values})
    await world.finish(await world.claim())
    return world.last


async def test_again_makes_the_same_with_another_seed(world: World) -> None:
    """Anybody in the server may; it is a new message and a job of the one who clicked."""
    message = await _finished(world, seed=7, steps=9)

    await world.admin.click(message, label="Again")

    job = (await world.claim()).job
    request = read_request(job.payload)
    assert (request.prompt, request.steps, request.seed) == ("red fox", 9, 42)
    assert job.member_name == "boss"


async def test_a_variation_starts_from_the_images_own_noise(world: World) -> None:
    """Its seed stays; a second seed bends the noise, a little or a lot, and variations of variations add up."""
    message = await _finished(world, seed=7, count=2)

    await world.ada.click(message, label="Subtle 2")
    first = read_request((claim := await world.claim()).job.payload)
    await world.finish(claim)
    await world.ada.click(world.last, label="Vary 1")
    second = read_request((await world.claim()).job.payload)

    assert (first.seed, [step.strength for step in first.variations]) == (8, [0.15])
    assert (second.seed, [step.strength for step in second.variations]) == (8, [0.15, 0.45])


async def test_buttons_work_after_a_restart(world: World) -> None:
    """Nothing of a message is kept in memory; its buttons are found by their ids."""
    message = await _finished(world)

    await world.restart()
    result = await world.ada.click(message, label="Info")

    assert result.response is not None
    assert result.ephemeral
    assert "/imagine prompt:red fox --count 1 --seed 42 --steps 20" in words(result.response)
    assert "Asked by ada" in words(result.response)


async def test_two_clicks_at_once_do_one_thing(world: World) -> None:
    """The second is heard and answered with silence; after a moment the button works again."""
    message = await _finished(world)

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
    message = await _finished(world)
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
    message = await _finished(world)

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


@given(st.lists(st.integers(1, 2**63 - 1).map(str), min_size=1, max_size=4))
def test_four_messages_are_remembered_in_the_room_of_one(message_ids: list[str]) -> None:
    """Whatever their ids; of more, the first ones."""
    text = posted_text(message_ids)

    assert len(text) <= 64
    assert posted_ids(text) == tuple(message_ids)
    assert len(posted_text(message_ids * 3)) <= 64


async def test_save_sends_the_images_to_the_one_who_clicked(world: World) -> None:
    """In a direct message, and says so to them alone."""
    message = await _finished(world, count=2)

    result = await world.admin.click(message, label="Save")

    saved = world.admin.user.dm_channel.last_message
    assert saved is not None
    assert len(saved.attachments) == 2
    assert result.response is not None
    assert "Sent to you" in words(result.response)


async def test_edit_opens_a_form_that_is_filled(world: World) -> None:
    """The form holds the image's own values; what is changed in it is what is made."""
    message = await _finished(world, seed=7, negative="text")

    shown = await world.ada.click(message, label="Edit")
    await world.ada.submit_modal(shown, {"prompt": "grey owl", "negative": "text", "more": "--seed 7 --steps 9"})

    request = read_request((await world.claim()).job.payload)
    assert (request.prompt, request.seed, request.steps, request.negative_prompt) == ("grey owl", 7, 9, "text")


async def test_a_form_survives_a_restart(world: World) -> None:
    """What was given before the form opened lies in the database under the id that the form carries."""
    shown = await world.ada.slash(world.channel, "imagine", prompt="red fox", seed=7, advanced=True)
    assert shown.modal is not None

    await world.restart()
    await world.ada.submit_modal(shown, {"more": "", "width": "64"})

    request = read_request((await world.claim()).job.payload)
    assert (request.prompt, request.seed, request.width) == ("red fox", 7, 64)


async def test_a_wrong_value_in_a_form_is_refused_in_a_sentence(world: World) -> None:
    """A modal's texts are free, so each is checked like any other value."""
    shown = await world.ada.slash(world.channel, "imagine", prompt="red fox", advanced=True)

    result = await world.ada.submit_modal(shown, {"width": "wide"})

    said = [message for message in (result.response, *result.followups) if message is not None]
    assert "width 'wide' is not a whole number" in words(said[-1])
    assert await world.context.queue.claim("a worker") is None


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
