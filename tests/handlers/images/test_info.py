"""How an image was made, said by its job or by its file."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from handlers.commands.arguments import read_options
from handlers.commands.context import AppContext
from handlers.commands.parsing import parse_text
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.info import command_text, image_info, job_info
from handlers.images.options import request_options
from pipeline.errors import UserError
from pipeline.requests.image_request import LoraUse, Variation
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.fakes import png, request


def test_the_command_asks_for_exactly_that_again() -> None:
    """With every value that it may have."""
    whole = request(
        "red fox, snow", negative_prompt="people, text", count=2, guidance_rescale=0.7, seed=4_000_000_000,
        loras=(LoraUse(key="k", name="crayon", scale=-0.25, text_encoder_scale=0.5),),
        variations=(Variation(seed=3, strength=0.15), Variation(seed=4, strength=0.45)),
    )  # fmt: skip

    text = command_text(whole)

    read = read_options(IMAGINE, parse_text(IMAGINE, text.removeprefix("/imagine ")))
    assert read.given() == {name: value for name, value in request_options(whole).given().items() if value != ""}


async def test_a_job_says_who_asked_and_whether_its_model_is_still_here(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    job = await context.queue.get(guild.id, (await call("imagine", prompt="fox")).job_id or 0)
    assert job is not None

    assert job_info(job, context).lines == ("Model pocket · hash 0123456789", "Asked by Ada")
    elsewhere = replace(context, models=(replace(context.models[0], name="large"),))
    assert "Model pocket · hash no longer served here" in job_info(job, elsewhere).lines
    assert "2.0 s on the device" in job_info(replace(job, device_seconds=2.0), context).lines


def test_a_file_tells_what_it_is_and_a_foreign_one_is_refused() -> None:
    said = image_info(png(request("red fox", seed=9)))
    assert said.lines == ("Model pocket · hash 0000000000", "Drawn on fake in float32")
    assert said.code.startswith("/imagine red fox")
    assert "--seed 9" in said.code

    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    with pytest.raises(UserError):
        image_info(file.getvalue())
