"""Commands on Discord: /imagine from the command to the images, and the answers of all others."""

import json

import discord
import pytest

from handlers.jobs.payloads import REQUEST
from handlers.training.request import TRAINING, ConceptKind, TrainOrder
from storage.platform import Platform
from storage.queue.jobs import GiveUp, JobKind, JobState
from tests.bot.discord.conftest import World, body, labels, words
from tests.new_jobs import new_job


async def test_a_prompt_becomes_one_message_with_its_images(world: World) -> None:
    """Edited in place: the place in the queue, the steps, then the images with their buttons and alt texts."""
    await world.ada.slash(world.channel, "imagine", prompt="red fox", count=2)
    await world.show()
    assert "red fox" in words(world.last)
    assert "Next" in words(world.last)
    assert labels(world.last) == ["Cancel"]

    claim = await world.claim()
    world.clock.advance(3)
    await world.progress(claim, 10)
    assert "▓▓▓▓▓▓░░░░░░  10 of 20 steps" in words(world.last)
    await world.finish(claim)

    assert len(world.channel.history()) == 1
    assert [file.description for file in world.last.attachments] == ["red fox", "red fox"]
    assert labels(world.last) == [
        "Upscale 1", "Upscale 2", "Vary 1", "Vary 2", "Subtle 1", "Subtle 2", "Again", "Edit", "Info", "Save", "Delete",
    ]  # fmt: skip
    assert "pocket · 128×128 · seed 42 · 3.1 s" in words(world.last)


async def test_the_acknowledgement_comes_before_everything_else(world: World) -> None:
    """Discord waits three seconds for the first answer; nothing may stand in front of it."""
    before = len(world.env.http_requests)

    await world.ada.slash(world.channel, "imagine", prompt="red fox")

    first = world.env.http_requests[before]
    assert first.path.endswith("/callback")
    assert body(first)["type"] == discord.InteractionResponseType.deferred_channel_message.value


async def test_options_are_typed_and_flags_may_stand_in_the_prompt(world: World) -> None:
    """A command that was copied from Info works when it is pasted into the prompt."""
    await world.ada.slash(
        world.channel, "imagine", prompt="red fox --width 64 --guidance-rescale 0.5", steps=5, scheduler="euler-a"
    )

    request = REQUEST.read((await world.claim()).job.payload)
    assert (request.prompt, request.width, request.guidance_rescale) == ("red fox", 64, 0.5)
    assert (request.steps, request.scheduler.value) == (5, "euler-a")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": "fox --stpes 3"}, "did you mean --steps?"),
        ({"prompt": "fox <lora:ink:0.8>"}, "no LoRA 'ink'"),
        ({"prompt": "fox --model magic"}, "model 'magic' is not served here"),
        ({"prompt": "fox", "steps": 120}, "this server allows up to 50"),
    ],
)
async def test_what_cannot_be_is_said_to_the_asker_alone(
    world: World, values: dict[str, str | int], sentence: str
) -> None:
    """One sentence, seen by nobody else, and nothing stays in the channel."""
    result = await world.ada.slash(world.channel, "imagine", **values)

    [said] = [message for message in (result.response, *result.followups) if message is not None]
    assert sentence in words(said)
    assert said.ephemeral
    assert world.channel.history(viewer=world.admin) == []


async def test_private_is_for_the_asker_alone(world: World) -> None:
    """The option hides the waiting and the images; the deferred answer carries them while its token lives."""
    result = await world.ada.slash(world.channel, "imagine", prompt="a secret", private=True)
    await world.finish(await world.claim())

    assert result.ephemeral
    assert result.response is not None
    assert len(result.response.attachments) == 1
    assert world.channel.history(viewer=world.admin) == []


async def test_a_server_may_be_private_by_default(world: World) -> None:
    """What the admins set holds from the next command on, and `private: False` overrides it."""
    await world.admin.slash(world.channel, "settings", **{"private-by-default": True})

    hidden = await world.ada.slash(world.channel, "imagine", prompt="one")
    shown = await world.ada.slash(world.channel, "imagine", prompt="two", private=False)

    assert hidden.ephemeral
    assert not shown.ephemeral


async def test_a_failure_says_why_and_offers_to_try_again(world: World) -> None:
    """The sentence of the device, in the same message."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    claim = await world.claim()
    await world.context.queue.settle(claim, GiveUp(sentence="The device ran out of memory; try a smaller size."))
    await world.deliver()

    assert "The device ran out of memory" in words(world.last)
    assert labels(world.last) == ["Again", "Edit"]


async def test_suggestions_are_the_members_own_open_jobs(world: World) -> None:
    """They are found by number and by words."""
    await world.ada.slash(world.channel, "imagine", prompt="red fox")
    await world.ada.slash(world.channel, "imagine", prompt="grey owl")

    [suggestion] = await world.ada.autocomplete(world.channel, "cancel", "job", "owl")

    assert suggestion["name"] == "2 · grey owl"
    assert suggestion["value"] == 2


async def test_direct_messages_are_a_place_of_ones_own(world: World) -> None:
    """A member may ask in private messages with the bot, too."""
    await world.ada.user.slash("imagine", prompt="red fox")
    await world.finish(await world.claim())

    last = world.ada.user.dm_channel.last_message
    assert last is not None
    assert len(last.attachments) == 1


async def test_permutations_are_asked_about_and_then_made_one_by_one(world: World) -> None:
    """`{a|b}` stands for several prompts; each becomes a job with a message of its own."""
    asked = await world.ada.slash(world.channel, "imagine", prompt="{red|blue} fox")
    [offer] = asked.followups
    assert "2 prompts" in words(offer)
    assert await world.context.queue.claim("a worker") is None

    await world.ada.click(offer, label="Make all")
    for _ in range(2):
        await world.finish(await world.claim())

    texts = [words(message) for message in world.channel.history(viewer=world.admin)]
    assert sorted(text.split("**")[1] for text in texts) == ["blue fox", "red fox"]


async def test_cancelling_ends_the_job_and_the_message_says_so(world: World) -> None:
    """The button, clicked by the owner."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    await world.show()

    await world.ada.click(world.last, label="Cancel")
    await world.deliver()

    assert "Cancelled." in words(world.last)
    [job] = await world.context.queue.guild_jobs(1, states=tuple(JobState))
    assert job.state is JobState.CANCELLED


async def test_stopping_a_training_is_asked_for_twice(world: World) -> None:
    """The question is for the one who clicked alone, and the training's message stays."""
    order = TrainOrder(key="1-a", name="rex", concept=ConceptKind.SUBJECT, files=(), class_word="dog", model="pocket")
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    [image] = await world.context.queue.guild_jobs(1)
    await world.context.queue.cancel(1, image.id)
    here = await world.context.outbox.address(1, image.id)
    asked = new_job(1, str(world.ada.id), kind=JobKind.TRAIN, payload=TRAINING.write(order), reply=here)
    job = await world.context.queue.enqueue(asked)
    await world.progress(await world.claim(), 10)
    status = world.last

    result = await world.ada.click(status, label="Stop and keep the best")
    (question,) = result.followups
    before = await world.context.queue.get(1, job.id)
    await world.ada.click(question, label="Stop it")
    after = await world.context.queue.get(1, job.id)

    assert "Stop learning rex, a dog?" in words(question)
    assert question.flags.ephemeral
    assert labels(status) == ["Stop and keep the best"]
    assert before is not None
    assert after is not None
    assert (before.cancel_requested, after.cancel_requested) == (False, True)


async def _answer(world: World, name: str, **options: object) -> str:
    actor = world.admin if name == "settings" else world.ada
    result = await actor.slash(world.channel, name, **options)
    assert result.response is not None
    assert result.ephemeral
    return words(result.response)


async def test_help_and_queue_answer_privately(world: World) -> None:
    """Questions to the bot are nobody else's business."""
    await world.ada.slash(world.channel, "imagine", prompt="red fox")

    assert "/imagine: Make pictures from words" in await _answer(world, "help")
    assert "1: red fox" in await _answer(world, "queue")


async def test_settings_hold_and_are_logged(world: World) -> None:
    """Each change is shown at once, holds from then on, and stays in the log with the admin's name."""
    shown = await _answer(world, "settings", **{"max-steps": 30, "allow-channel": world.channel})
    log = await _answer(world, "settings", show="log")

    assert "Most steps: 30" in shown
    assert f"Channels where pictures are made: <#{world.channel.id}>" in shown
    assert "boss · max\\_steps: 50 → 30" in log
    elsewhere = world.guild.create_text_channel("lounge")
    refused = await world.ada.slash(elsewhere, "imagine", prompt="fox")
    assert "not made in this channel" in words(refused.followups[0])


async def test_settings_are_for_admins_whatever_discord_lets_through(world: World) -> None:
    """A server may override Discord's own check; ours stands behind it."""
    with world.env.time_context():
        published = await world.client.tree.fetch_commands()
    [settings] = [command for command in published if command.name == "settings"]
    world.guild.set_command_permissions(settings, {world.ada: True})

    result = await world.ada.slash(world.channel, "settings")

    assert result.response is not None
    assert "is for the admins" in words(result.response)


async def test_a_role_may_be_asked_for_a_command(world: World) -> None:
    """Members without it are told so; those who have it are served."""
    artists = world.guild.create_role("Artists")
    zoe = world.guild.add_member(world.env.create_user("zoe"), roles=[artists])
    shown = await _answer(world, "settings", **{"command": "imagine", "allow-role": artists})
    assert f"/imagine only for roles: <@&{artists.id}>" in shown

    refused = await world.ada.slash(world.channel, "imagine", prompt="fox")
    await zoe.slash(world.channel, "imagine", prompt="owl")

    assert "needs a role" in words(refused.followups[0])
    assert (await world.claim()).job.member_name == "zoe"


async def test_history_pages_searches_and_makes_again(world: World) -> None:
    """Five a page, newest first, with a button each."""
    for number in range(7):
        await world.ada.slash(world.channel, "imagine", prompt=f"fox {number}", private=True)

    first = await world.ada.slash(world.channel, "history", search="fox")
    assert first.response is not None
    assert "fox 6" in words(first.response)
    assert "fox 1" not in words(first.response)
    older = await world.ada.click(first.response, label="Older")

    assert older.response is not None
    assert "fox 1" in words(older.response)
    assert labels(older.response) == ["Again: 2", "Again: 1"]
    assert "Nothing of yours mentions 'owl'" in await _answer(world, "history", search="owl")


async def test_history_hands_over_what_could_not_be_posted(world: World) -> None:
    """The channel was closed and so were direct messages; later the member asks for the image and has it."""
    await world.ada.slash(world.channel, "imagine", prompt="red fox")
    claim = await world.claim()
    replies = await world.context.outbox.open_replies(Platform.DISCORD)
    await world.context.outbox.mark_kept(replies[0], "no route to the member was open")
    await world.finish(claim)

    shown = await world.ada.slash(world.channel, "history")
    assert shown.response is not None
    await world.ada.click(shown.response, label="Save: 1")

    saved = world.ada.user.dm_channel.last_message
    assert saved is not None
    [file] = saved.attachments
    assert file.filename == "red-fox-1-1.png"


async def test_privacy_hands_out_and_deletes(world: World) -> None:
    """All of one's own, nobody else's, after a question."""
    await world.ada.slash(world.channel, "imagine", prompt="a secret")
    await world.admin.slash(world.channel, "imagine", prompt="another's")
    export = await world.ada.slash(world.channel, "privacy", what="export")
    assert export.response is not None
    [file] = export.response.attachments
    with world.env.time_context():
        data = json.loads(await file.read())

    asked = await world.ada.slash(world.channel, "privacy", what="delete")
    assert asked.response is not None
    await world.ada.click(asked.response, label="Delete everything")

    assert [job["payload"]["prompt"] for job in data["jobs"]] == ["a secret"]
    assert [job.member_name for job in await world.context.queue.guild_jobs(1, states=tuple(JobState))] == ["boss"]
