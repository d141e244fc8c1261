"""How an image was made, said by its job or by its file."""

import io
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from handlers.commands.arguments import read_options
from handlers.commands.attachments import OfferedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.parsing import parse_text
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.info import command_text, image_info, job_info
from handlers.images.options import request_options
from pipeline.errors import UserError
from pipeline.requests.freeu import FreeU
from pipeline.requests.image_request import LoraUse, Variation
from pipeline.requests.step_window import StepWindow
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import png, request
from tests.pipeline.images.programs import program_images


def test_the_command_asks_for_exactly_that_again() -> None:
    """With every value that it may have."""
    whole = request(
        "red fox, snow", negative_prompt="people, text", count=2, guidance_rescale=0.7, clip_skip=2, pag_scale=2.5,
        vae="soft",
        freeu=FreeU(b1=1.1, b2=1.2, s1=0.9, s2=0.5),
        guidance_window=StepWindow(start=0.25),
        seed=4_000_000_000,
        loras=(LoraUse(key="k", name="crayon", scale=-0.25, text_encoder_scale=0.5),),
        variations=(Variation(seed=3, strength=0.15), Variation(seed=4, strength=0.00005)),
    )  # fmt: skip

    text = command_text(whole, None)

    read = read_options(IMAGINE, parse_text(IMAGINE, text.removeprefix("/imagine ")))
    assert read.given() == {name: value for name, value in request_options(whole).given().items() if value != ""}


async def test_a_job_says_who_asked_and_whether_its_model_is_still_here(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    job = await context.queue.get(guild.id, (await call("imagine", prompt="fox")).job_id or 0)
    assert job is not None
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="c", user_id="ada")
    ada = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=reply)

    assert (await job_info(job, ada, context)).lines == ("Model pocket · hash 0123456789", "Asked by Ada")
    elsewhere = replace(context, models=(replace(context.models[0], name="large"),))
    assert "Model pocket · hash no longer served here" in (await job_info(job, ada, elsewhere)).lines
    usual = replace(ada, guild=replace(guild, settings=replace(guild.settings, default_vae="soft")))
    own = "--vae own"
    assert [own in (await job_info(job, caller, context)).code for caller in (ada, usual)] == [False, True]
    assert "2.0 s on the device" in (await job_info(replace(job, device_seconds=2.0), ada, context)).lines


def offered(data: bytes) -> OfferedFile:
    async def chunks() -> AsyncGenerator[bytes, None]:
        yield data

    return OfferedFile(name="fox.png", size=len(data), chunks=chunks)


async def test_a_file_tells_what_it_is_and_a_foreign_one_is_refused(context: AppContext) -> None:
    """It is read in a process of its own; compressed text, which may be a bomb, is never unpacked."""
    said = await image_info(offered(png(request("red fox", seed=9))), ("guild", "ada"), context)
    assert said.lines == ("Model pocket · hash 0000000000", "Drawn on fake in float32")
    assert said.code.startswith("/imagine red fox")
    assert "--seed 9" in said.code

    plain, bomb = io.BytesIO(), PngInfo()
    bomb.add_text("limner", "x" * 10_000_000, zip=True)
    Image.new("RGB", (8, 8)).save(plain, "PNG", pnginfo=bomb)
    with pytest.raises(UserError, match="does not say how it was made"):
        await image_info(offered(plain.getvalue()), ("guild", "ada"), context)


async def test_an_image_of_another_program_is_a_command_for_one_like_it(context: AppContext) -> None:
    """With what could not be taken over, and the prompt as it stands there."""
    said = await image_info(
        offered(program_images.png({"parameters": program_images.FORGE})), ("guild", "ada"), context
    )

    assert said.headline == "How this picture was made, by Forge"
    assert said.code.startswith("/imagine owl")
    assert "--steps 4 " in said.code
    assert "--spacing sgm-uniform" in said.code
    assert said.lines == (
        "Model a, strange: name · hash e869ac7d69",
        "The model a, strange: name is not served here; another one draws it, so it will look different.",
        "The command makes a picture like it, not the same: another program drew this one.",
    )
