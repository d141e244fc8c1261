"""Buttons, their ids and what a click does, on every platform alike."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.buttons import Press, button_id, home_guild, manner, press, read_button_id
from handlers.commands.actions import AlreadyHeard, Remove, SendDirect
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.form import Form
from handlers.commands.forms import submit_form
from handlers.commands.permissions import NotAllowed
from handlers.images.submission import submit
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Button, Message, Verb
from pipeline.errors import UserError
from pipeline.images.metadata import ImageMetadata
from pipeline.requests.image_request import ImageRequest
from storage.database import Database
from storage.guilds.guilds import Guild, GuildSettings
from storage.library.blob_gc import collect_blobs
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done, JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock, png, request


def _caller(guild: Guild, member: str = "ada", *, manages_messages: bool = False) -> Caller:
    who = Member(id=member, name=member.title(), manages_messages=manages_messages)
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id=member, message_id="5")
    return Caller(guild=guild, member=who, reply=reply)


async def _done(context: AppContext, call: CallCommand, **values: object) -> int:
    """A finished job of Ada's."""
    await call("imagine", **{"prompt": "red fox", **values})
    claim = await context.queue.claim("a worker")
    assert claim is not None
    for index, image in enumerate(REQUEST.read(claim.job.payload).images()):
        blob = await context.blobs.put(png(image))
        new = NewImage(index=index, blob=blob, width=128, height=128, seed=image.seed, parameters="")
        await context.queue.record_image(claim, new)
    await context.queue.settle(claim, Done(device_seconds=2.0))
    return claim.job.id


def _press(verb: Verb, target: int, index: int = 0) -> Press:
    return Press(verb=verb, target=target, index=index)


@given(verb=st.sampled_from(Verb), target=st.integers(1, 2**63 - 1), index=st.integers(0, 999))
def test_an_id_is_read_back_and_fits_every_platform(verb: Verb, target: int, index: int) -> None:
    """Ids live for ever in messages, and the strictest platform takes 100 characters."""
    text = button_id(Button(verb=verb, target=target, index=index, label="x"))

    assert len(text) <= 100
    assert read_button_id(text) == Press(verb=verb, target=target, index=index)
    assert manner(verb)


@pytest.mark.parametrize("text", ["", "v1:again:1", "v1:paint:1:0", "v2:again:1:0", "v1:again:x:0", " v1:again:1:0"])
def test_an_id_that_is_not_ours_is_none(text: str) -> None:
    """Whatever a platform sends, it is read or it is not."""
    assert read_button_id(text) is None


async def test_a_click_of_another_guild_finds_nothing(context: AppContext, call: CallCommand) -> None:
    """An id from one server means nothing in another."""
    job_id = await _done(context, call)
    elsewhere = await context.guilds.ensure(Platform.TERMINAL, "guild-2", "Elsewhere")

    with pytest.raises(UserError, match="no longer kept here"):
        await press(_press(Verb.INFO, job_id), _caller(elsewhere), context)


async def test_what_came_directly_is_of_the_guild_where_it_was_asked_for(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """For the member who asked, on the platform where they did."""
    job_id = await _done(context, call)
    call_id = await context.calls.save(guild.id, "ada", "imagine", {})

    for pressed in (_press(Verb.AGAIN, job_id), _press(Verb.CALL, call_id)):
        home = await home_guild(pressed, Platform.TERMINAL, "ada", context)
        assert home is not None
        assert home.id == guild.id
        assert await home_guild(pressed, Platform.TERMINAL, "bob", context) is None
        assert await home_guild(pressed, Platform.DISCORD, "ada", context) is None


async def test_who_clicks_is_held_to_the_settings(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """A button gives nobody what the command would not."""
    job_id = await _done(context, call)
    await context.guilds.save_settings(guild.id, GuildSettings(command_roles=(("imagine", ("artists",)),)), "boss")
    narrowed = await context.guilds.get(guild.id)
    assert narrowed is not None

    for verb in (Verb.AGAIN, Verb.VARY_SUBTLE, Verb.VARY_STRONG, Verb.UPSCALE):
        with pytest.raises(NotAllowed, match="needs a role"):
            await press(_press(verb, job_id), _caller(narrowed), context)


async def test_the_second_of_two_clicks_is_only_heard(
    context: AppContext, guild: Guild, call: CallCommand, clock: FakeClock
) -> None:
    """Of the same member on the same button; another's click, or a later one, counts."""
    job_id = await _done(context, call)
    again = _press(Verb.AGAIN, job_id)

    assert isinstance(await press(again, _caller(guild), context), Message)
    assert await press(again, _caller(guild), context) == AlreadyHeard()
    assert isinstance(await press(again, _caller(guild, "bob"), context), Message)
    clock.advance(60)
    assert isinstance(await press(again, _caller(guild), context), Message)


async def test_deleting_is_for_the_owner_and_moderators(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Others are told whose it is; what was deleted is gone from the store."""
    job_id = await _done(context, call)

    with pytest.raises(NotAllowed, match="This is Ada's"):
        await press(_press(Verb.DELETE, job_id), _caller(guild, "bob"), context)
    removed = await press(_press(Verb.DELETE, job_id), _caller(guild, "mod", manages_messages=True), context)

    assert removed == Remove(job_id=job_id)
    assert await context.queue.get(guild.id, job_id) is None


async def test_what_is_still_being_made_cannot_be_deleted(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """A cancel comes first, so that no device draws for nobody."""
    message = await call("imagine", prompt="fox")

    with pytest.raises(UserError, match="cancel it first"):
        await press(_press(Verb.DELETE, message.job_id or 0), _caller(guild), context)


async def test_save_carries_every_image(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """As they are in the store, with their names."""
    job_id = await _done(context, call, count=2)

    sent = await press(_press(Verb.SAVE, job_id), _caller(guild), context)

    assert isinstance(sent, SendDirect)
    assert [image.file_name for image in sent.message.images] == ["red-fox-1-1.png", "red-fox-1-2.png"]


async def test_an_image_that_is_not_there_cannot_be_varied(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """An index is checked like any value that comes from outside."""
    job_id = await _done(context, call)

    with pytest.raises(UserError, match="no such picture"):
        await press(_press(Verb.VARY_STRONG, job_id, 3), _caller(guild), context)


async def test_an_upscaled_image_is_drawn_again_over_itself(
    sqlite: Database, context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """At twice its size, with its own prompt and seed; the image it begins with is kept as long as the new job."""
    job_id = await _done(context, call, count=2, seed=9, steps=49)
    context = replace(context, models=(replace(context.models[0], upscale_strength=0.01),))

    message = await press(_press(Verb.UPSCALE, job_id, 1), _caller(guild), context)

    assert isinstance(message, Message)
    job = await context.queue.get(guild.id, message.job_id or 0)
    assert job is not None
    request = REQUEST.read(job.payload)
    second = (await context.queue.images(guild.id, job_id))[1]
    assert (request.prompt, request.seed, request.count) == ("red fox", 10, 1)
    assert (request.width, request.height, request.steps_made) == (256, 256, 1)
    assert request.image_keys == (second.blob,)
    await context.members.delete_job(guild.id, job_id)
    await collect_blobs(sqlite, context.blobs, grace_seconds=float("-inf"))
    assert await context.blobs.get(second.blob)


async def test_what_an_image_began_with_is_kept_when_its_words_are_edited(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """By its owner alone: another member's form begins from noise."""
    job_id = await _done(context, call)
    message = await press(_press(Verb.UPSCALE, job_id), _caller(guild), context)
    assert isinstance(message, Message)
    upscaled = message.job_id or 0

    form = await press(_press(Verb.EDIT, upscaled), _caller(guild), context)
    assert isinstance(form, Form)
    entries = {field.option.name: field.value for field in form.fields}
    answer = await submit_form(form.call_id, {**entries, "prompt": "blue fox"}, _caller(guild), context)
    others = await press(_press(Verb.EDIT, upscaled), _caller(guild, "bob"), context)

    job = await context.queue.get(guild.id, answer.job_id or 0)
    assert job is not None
    request = REQUEST.read(job.payload)
    assert request.prompt == "blue fox"
    assert request.start is not None
    assert isinstance(others, Form)
    begun = await submit_form(others.call_id, {"prompt": "blue fox"}, _caller(guild, "bob"), context)
    theirs = await context.queue.get(guild.id, begun.job_id or 0)
    assert theirs is not None
    assert REQUEST.read(theirs.payload).start is None
    with pytest.raises(UserError, match="You have no job"):
        await submit_form(others.call_id, {"prompt": "fox", "base": str(upscaled)}, _caller(guild, "bob"), context)


async def test_an_edited_form_asks_for_the_same_with_what_was_changed(
    context: AppContext, guild: Guild, call: CallCommand
) -> None:
    """The fields hold what was used; the size stands there as the aspect that it is."""
    job_id = await _done(context, call, seed=9, aspect="16:9")
    form = await press(_press(Verb.EDIT, job_id), _caller(guild), context)
    assert isinstance(form, Form)
    entries = {field.option.name: field.value for field in form.fields}

    await submit_form(form.call_id, {**entries, "prompt": "grey owl"}, _caller(guild), context)

    claim = await context.queue.claim("a worker")
    assert claim is not None
    request = REQUEST.read(claim.job.payload)
    assert entries["aspect"] == "16:9"
    assert (request.prompt, request.seed, request.width > request.height) == ("grey owl", 9, True)


async def test_an_offer_is_made_good_in_public(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """The question was private, the images need not be: each job is answered by a message of its own."""
    asked = await call("imagine", prompt="{red|blue} fox")
    offer = asked.buttons[0][0]

    answered = await press(_press(offer.verb, offer.target), _caller(guild), context)

    assert isinstance(answered, Message)
    assert answered.private
    replies = await context.outbox.open_replies(Platform.TERMINAL)
    assert [(reply.address.private, reply.address.message_id) for reply in replies] == [(False, None)] * 2
    assert len(await context.queue.guild_jobs(guild.id, states=(JobState.QUEUED,))) == 2


ADA = Member(id="ada", name="Ada")


REPLY = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")


async def _newest(queue: JobQueue, guild: Guild) -> tuple[int, tuple[ImageRequest, ...]]:
    """The newest job, and the images that a device would be asked for."""
    (job,) = await queue.guild_jobs(guild.id, limit=1)
    return job.id, REQUEST.read(job.payload).images()


@pytest.fixture
async def repeated(context: AppContext, guild: Guild) -> int:
    """A job that repeats an image from its file, as `--like` does."""
    info = ImageMetadata(
        made_from=request(count=1), model_name="pocket", model_hash="0" * 10, bucket=8, lora_pages=16, device="cpu",
        dtype="float32", versions=(),
    )  # fmt: skip
    caller = Caller(guild=guild, member=ADA, reply=REPLY)
    await submit(caller, context, info.request(), context.model("pocket"))
    job_id, (image,) = await _newest(context.queue, guild)
    assert (image.bucket, image.lora_pages) == (8, 16)
    return job_id


@pytest.mark.parametrize("verb", [Verb.AGAIN, Verb.VARY_SUBTLE])
async def test_what_is_made_of_a_repeated_image_has_its_bucket_and_its_pages(
    verb: Verb, context: AppContext, guild: Guild, repeated: int
) -> None:
    """One without the other would ask for a batch of another size."""
    caller = Caller(guild=guild, member=ADA, reply=REPLY)

    await press(Press(verb=verb, target=repeated, index=0), caller, context)

    job_id, (image,) = await _newest(context.queue, guild)
    assert job_id != repeated
    assert (image.bucket, image.lora_pages) == (8, 16)
