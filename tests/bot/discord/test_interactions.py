"""/imagine on Discord, from the command to the images."""

import discord
import pytest

from handlers.jobs.payloads import read_request
from storage.queue.jobs import GiveUp, JobState
from tests.bot.discord.conftest import World, body, labels, words


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

    request = read_request((await world.claim()).job.payload)
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


async def test_untrusted_words_have_no_effect(world: World) -> None:
    """Markdown is shown, not obeyed, and nobody is called."""
    await world.ada.slash(world.channel, "imagine", prompt="**bold** @everyone <@1> `code`")
    await world.show()

    assert r"\*\*bold\*\*" in words(world.last)
    assert "@everyone" not in words(world.last)
    edit = world.env.http_requests[-1]
    assert body(edit)["allowed_mentions"] == {"parse": []}


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


async def test_a_missing_permission_is_named_before_a_device_works(world: World) -> None:
    """Nothing is queued that could not be posted."""
    quiet = world.guild.create_text_channel(
        "quiet", overwrites={world.guild.default_role: discord.PermissionOverwrite(attach_files=False)}
    )

    result = await world.ada.slash(quiet, "imagine", prompt="fox")

    assert result.response is not None
    assert "'Attach Files'" in words(result.response)
    assert await world.context.queue.claim("a worker") is None


async def test_a_failure_says_why_and_offers_to_try_again(world: World) -> None:
    """The sentence of the device, in the same message."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    claim = await world.claim()
    await world.context.queue.settle(claim, GiveUp(sentence="The device ran out of memory; try a smaller size."))
    await world.deliver()

    assert "The device ran out of memory" in words(world.last)
    assert labels(world.last) == ["Again", "Edit"]


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
