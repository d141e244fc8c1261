"""What the buttons under an image may use of what is another member's."""

import pytest

from handlers.buttons import Press, press
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Message, Verb
from pipeline.families.family import ModelFamily
from pipeline.requests.image_request import LoraUse
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora, new_key
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.jobs import Done, JobKind, NewJob
from storage.queue.reply_address import ReplyAddress
from tests.fakes import png, request

_MAKING = (Verb.AGAIN, Verb.VARY_SUBTLE, Verb.VARY_STRONG, Verb.UPSCALE)


def _caller(guild: Guild, member: str) -> Caller:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id=member)
    return Caller(guild=guild, member=Member(id=member, name=member.title()), reply=reply)


async def _made_with(context: AppContext, guild: Guild, *, private: bool) -> int:
    """An image of Ada's, posted openly, that used a LoRA of hers."""
    lora = await context.loras.add(
        NewLora(
            guild_id=guild.id, name="rex", owner_id="ada", base_family=ModelFamily.SDXL, key=new_key(guild.id),
            scale=1.0, size=1, trigger_words="rex", metadata="", private=private,
        )
    )  # fmt: skip
    asked = request(loras=(LoraUse(key=lora.key, name="rex"),), width=128, height=128)
    job = await context.queue.enqueue(
        NewJob(
            guild_id=guild.id, member_id="ada", member_name="Ada", kind=JobKind.IMAGINE, payload=REQUEST.write(asked),
            reply=_caller(guild, "ada").reply, cost_key="k", cost_units=1,
        )
    )  # fmt: skip
    claim = await context.queue.claim("worker")
    assert claim is not None
    blob = await context.blobs.put(png(asked))
    await context.queue.record_image(claim, NewImage(index=0, blob=blob, width=128, height=128, seed=7, parameters=""))
    await context.queue.settle(claim, Done(device_seconds=1.0))
    return job.id


@pytest.mark.parametrize("verb", _MAKING)
async def test_a_private_lora_is_used_by_its_owner_alone(context: AppContext, guild: Guild, verb: Verb) -> None:
    """However openly the image was posted that it made."""
    pressed = Press(verb=verb, target=await _made_with(context, guild, private=True), index=0)

    with pytest.raises(NotAllowed, match="its owner's alone"):
        await press(pressed, _caller(guild, "eve"), context)
    assert isinstance(await press(pressed, _caller(guild, "ada"), context), Message)


@pytest.mark.parametrize("verb", _MAKING)
async def test_a_guilds_lora_is_used_by_anyone(context: AppContext, guild: Guild, verb: Verb) -> None:
    """By a click as by its name."""
    pressed = Press(verb=verb, target=await _made_with(context, guild, private=False), index=0)

    assert isinstance(await press(pressed, _caller(guild, "eve"), context), Message)
