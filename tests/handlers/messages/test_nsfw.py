"""Images that are not for everybody: each guild's choice holds wherever one is shown."""

from dataclasses import replace

import pytest

from handlers.buttons import Press, press
from handlers.commands.actions import SendDirect
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.messages.message import Message, Verb
from storage.guilds.guilds import Guild, GuildSettings, NsfwPolicy
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.jobs import Done
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import FakeChat, png, request
from tests.new_jobs import new_job


async def _made(context: AppContext, guild: Guild, address: ReplyAddress, payload: str) -> int:
    """A finished job of two images, the second of them flagged."""
    job = await context.queue.enqueue(new_job(guild.id, "ada", payload=payload, reply=address))
    claim = await context.queue.claim("worker")
    assert claim is not None
    for index in range(2):
        blob = await context.blobs.put(png(request(seed=index)))
        image = NewImage(index=index, blob=blob, width=64, height=64, seed=index, parameters="", nsfw=index == 1)
        await context.queue.record_image(claim, image)
    await context.queue.settle(claim, Done(device_seconds=1.0))
    return job.id


@pytest.fixture
async def payload(context: AppContext, guild: Guild, call: CallCommand) -> str:
    """What a job of two images asks for."""
    await call("imagine", prompt="fox", count=2)
    [job] = await context.queue.guild_jobs(guild.id)
    await context.queue.cancel(guild.id, job.id)
    return job.payload


@pytest.mark.parametrize(
    ("platform", "nsfw", "restricted", "spoilers"),
    [
        (Platform.DISCORD, NsfwPolicy.RESTRICTED, True, [False, False]),
        (Platform.DISCORD, NsfwPolicy.RESTRICTED, False, [False]),
        (Platform.DISCORD, NsfwPolicy.SPOILER, False, [False, True]),
        (Platform.DISCORD, NsfwPolicy.SPOILER, True, [False, False]),
        (Platform.DISCORD, NsfwPolicy.REFUSE, True, [False]),
        (Platform.SLACK, NsfwPolicy.SPOILER, False, [False]),
        (Platform.TERMINAL, NsfwPolicy.RESTRICTED, True, [False, False]),
    ],
)
async def test_delivery_obeys_the_guild(
    context: AppContext, guild: Guild, payload: str, platform: Platform, nsfw: NsfwPolicy, restricted: bool,
    spoilers: list[bool],
) -> None:  # fmt: skip
    """Only what is flagged is hidden or left out; what is left out is told, and no button points at the wrong one."""
    await context.guilds.save_settings(guild.id, GuildSettings(nsfw=nsfw), "boss")
    address = ReplyAddress(platform=platform, channel_id="c", user_id="ada", age_restricted=restricted)
    job_id = await _made(context, guild, address, payload)
    chat = FakeChat(platform=platform)

    await Delivery(context=context, chat=chat, poster="this process").deliver_due()

    [message] = [message for _, message in chat.delivered if message.job_id == job_id]
    assert [image.spoiler for image in message.images] == spoilers
    whole = len(spoilers) == 2
    assert any("1 picture is for adults" in line for line in message.lines) is not whole
    assert any(button.verb is Verb.VARY_STRONG for row in message.buttons for button in row) is whole


async def test_saving_is_no_way_around_it(context: AppContext, guild: Guild, payload: str) -> None:
    """A click outside age-restricted channels sends what may be seen there; the guild's newest choice holds."""
    here = ReplyAddress(platform=Platform.DISCORD, channel_id="c", user_id="ada", age_restricted=True)
    job_id = await _made(context, guild, here, payload)

    async def saved(reply: ReplyAddress) -> Message:
        caller = Caller(guild=guild, member=Member(id=f"ada{reply.age_restricted}", name="Ada"), reply=reply)
        result = await press(Press(verb=Verb.SAVE, target=job_id, index=0), caller, context)
        assert isinstance(result, SendDirect)
        return result.message

    assert len((await saved(here)).images) == 2
    elsewhere = await saved(replace(here, age_restricted=False))
    assert (len(elsewhere.images), len(elsewhere.lines)) == (1, 1)
