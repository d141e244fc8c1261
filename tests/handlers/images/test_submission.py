"""What a guild's admins cap holds wherever an image is asked for."""

from typing import Any

import pytest

from handlers.buttons import Press, press
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Verb
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.jobs import Done
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import png


@pytest.mark.parametrize(
    ("cap", "asked", "sentence"),
    [
        ({"max_steps": 10}, {"steps": 12}, "steps is 12; this server allows up to 10, so write steps 10 or less."),
        ({"max_count": 2}, {"count": 3}, "count is 3; this server allows up to 2, so write count 2 or less."),
        (
            {"max_guidance": 4.5},
            {"guidance": 6},
            "guidance is 6; this server allows up to 4.5, so write guidance 4.5 or",
        ),
        ({"max_size": 64}, {"width": 72}, "is larger than this server allows; stay within 64x64"),
        (
            {"samplers": "lcm euler"},
            {"scheduler": "heun"},
            "This server does not allow the sampler heun; choose one of: lcm, euler.",
        ),
    ],
)
async def test_each_cap_has_its_sentence(
    call: CallCommand, cap: dict[str, Any], asked: dict[str, Any], sentence: str
) -> None:
    """With the cap and what to write instead."""
    await call("imagine", prompt="fox", **asked)
    await call("settings", admin=True, **cap)

    with pytest.raises(InvalidRequest, match=sentence.replace(".", r"\.")):
        await call("imagine", prompt="fox", **asked)


async def test_what_nobody_named_keeps_to_the_caps(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Or a guild with few steps could make no image without knowing them."""
    await call("settings", admin=True, max_steps=5, max_guidance=2, samplers="lcm heun")

    await call("imagine", prompt="fox")

    (job,) = await context.queue.guild_jobs(guild.id)
    request = REQUEST.read(job.payload)
    assert (request.steps, request.guidance_scale, request.scheduler) == (5, 2.0, Scheduler.LCM)


@pytest.mark.parametrize(("aspect", "size"), [(None, (96, 96)), ("3:2", (112, 80))])
async def test_a_size_that_nobody_named_keeps_to_the_cap(
    call: CallCommand, context: AppContext, guild: Guild, aspect: str | None, size: tuple[int, int]
) -> None:
    """Below the model's own; the proportions stay."""
    await call("settings", admin=True, max_size=96)

    await call("imagine", prompt="fox", **({} if aspect is None else {"aspect": aspect}))

    (job,) = await context.queue.guild_jobs(guild.id)
    request = REQUEST.read(job.payload)
    assert (request.width, request.height) == size


@pytest.mark.parametrize("verb", [Verb.AGAIN, Verb.VARY_SUBTLE, Verb.VARY_STRONG, Verb.UPSCALE])
async def test_buttons_keep_to_caps_that_came_later(
    call: CallCommand, context: AppContext, guild: Guild, verb: Verb
) -> None:
    await call("imagine", prompt="fox", scheduler="heun", width=64, height=64)
    claim = await context.queue.claim("worker")
    assert claim is not None
    asked = REQUEST.read(claim.job.payload)
    blob = await context.blobs.put(png(asked))
    await context.queue.record_image(claim, NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters=""))
    await context.queue.settle(claim, Done(device_seconds=1.0))
    await call("settings", admin=True, samplers="euler")

    fresh = await context.guilds.get(guild.id)
    assert fresh is not None
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    caller = Caller(guild=fresh, member=Member(id="ada", name="Ada"), reply=reply)
    with pytest.raises(InvalidRequest, match="This server does not allow the sampler heun; choose one of: euler"):
        await press(Press(verb=verb, target=claim.job.id, index=0), caller, context)
