"""What a worker does for /upscale."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.images.upscale_job import Enlarging
from handlers.messages.message import Message, Verb
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from pipeline.images.metadata import ImageMetadata, encode, read
from pipeline.images.png_text import read_texts, write_png
from pipeline.images.upscale_process import Enlargement
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import StartImage
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind, JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice
from tests.handlers.images.attached import attached, photo, queued
from tests.pipeline.scene import half_mask


async def resized(order: Enlargement, /) -> None:
    """Stands in for the process that enlarges, without a net."""
    image = Image.open(order.source).resize((order.width, order.height))
    order.target.write_bytes(write_png(image, order.texts))


async def worked(context: AppContext, guild: Guild, enlarge: Callable[[Enlargement], Awaitable[None]] = resized) -> Job:
    """The one job, ended."""
    stop = asyncio.Event()
    kinds = {JobKind.ENLARGE: Enlarging(blobs=context.blobs, upscalers=context.upscalers, enlarge=enlarge)}
    worker = Worker(
        name="w", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS,
        devices=(FakeDevice(),), kinds=kinds, drain_seconds=0,
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))

    async def ended() -> Job | None:
        (job,) = await context.queue.guild_jobs(guild.id)
        return job if job.finished_at is not None else None

    try:
        return await eventually(ended)
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_an_image_comes_back_larger(
    call: CallCommand, context: AppContext, guild: Guild, clock: FakeClock
) -> None:
    """By the net that ships, three times as large, and says so in the image and under it."""
    message = await call("upscale", image=await attached(context, photo((50, 31))), factor=3)
    assert message.headline == "A picture 3 times as large, 150×93"

    job = await worked(context, guild)

    assert job.state is JobState.DONE, job.error
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    delivered = chat.delivered[-1][1]
    (image,) = delivered.images
    assert Image.open(io.BytesIO(image.data)).size == (150, 93)
    words = "Postprocess upscale by: 3, Postprocess upscaler: waifu2x"
    assert read_texts(image.data)["postprocessing"] == words
    assert (delivered.footer or "").startswith("waifu2x · ")
    assert [button.label for row in delivered.buttons for button in row] == ["Delete"]


async def test_a_net_is_handed_on_and_its_refusal_reported(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """The file of the net that the member chose, and the sentence of who cannot use it."""
    net = tmp_path / "upscalers" / "sharp.safetensors"
    net.parent.mkdir()
    net.touch()
    asked = []

    async def refuse(order: Enlargement, /) -> None:
        asked.append(order.net)
        raise UserError("'sharp' cannot be read; an admin can replace it.")

    await call("upscale", image=await attached(context, photo()), upscaler="sharp")
    job = await worked(context, guild, refuse)

    assert asked == [net]
    assert (job.state, job.error) == (JobState.FAILED, "'sharp' cannot be read; an admin can replace it.")


async def test_a_net_that_went_away_is_one_sentence(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """It is the usual one while it is there."""
    net = tmp_path / "upscalers" / "sharp.safetensors"
    net.parent.mkdir()
    net.touch()
    await call("upscale", image=await attached(context, photo()))
    net.unlink()

    job = await worked(context, guild)

    assert (job.state, job.error) == (JobState.FAILED, "There is no upscaler 'sharp' here; there is: waifu2x, lanczos.")


def drawn(start: StartImage | None = None) -> bytes:
    """An image of ours, half of it transparent, with all that was decided for it."""
    made_from = ImageRequest(
        prompt="red fox", negative_prompt="rain", width=64, height=64, steps=3, guidance_scale=4.0, seed=77,
        model="pocket", start=start,
    )  # fmt: skip
    info = ImageMetadata(
        made_from=made_from, model_name="pocket", model_hash="abc", bucket=1, device="cpu", dtype="float32", versions=()
    )
    image = photo((64, 64))
    image.putalpha(half_mask())
    return encode(image, info)


def ada(guild: Guild) -> Caller:
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    return Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=address)


async def handed_over(context: AppContext, png: bytes) -> AttachedFile:
    return AttachedFile(blob=await context.blobs.put(png), name="fox.png", size=len(png))


async def test_an_image_of_ours_keeps_what_it_was_made_with(
    call: CallCommand, context: AppContext, guild: Guild, clock: FakeClock
) -> None:
    """In its file, for other programs and for ours, and in the message; transparency goes along."""
    asked: list[Enlargement] = []

    async def seen(order: Enlargement, /) -> None:
        asked.append(order)
        await resized(order)

    png = drawn()
    await call("upscale", image=await handed_over(context, png), factor=2)
    job = await worked(context, guild, seen)

    assert job.state is JobState.DONE, job.error
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    delivered = chat.delivered[-1][1]
    before, after = read_texts(png), read_texts(delivered.images[0].data)
    assert after == {**before, "postprocessing": "Postprocess upscale by: 2, Postprocess upscaler: waifu2x"}
    assert read(delivered.images[0].data).made_from.seed == 77
    assert delivered.headline == "red fox"
    assert (delivered.footer or "").startswith("pocket · 128×128 · seed 77 · waifu2x · ")
    assert [button.label for row in delivered.buttons for button in row] == ["Again", "Info", "Delete"]
    assert asked[0].mask is not None


async def test_its_buttons_know_the_words_again(call: CallCommand, context: AppContext, guild: Guild) -> None:
    """Info is a command to paste; Again makes another image of the same words."""
    await call("upscale", image=await handed_over(context, drawn()))
    job = await worked(context, guild)
    actions = JOBS[JobKind.ENLARGE].actions

    info = await actions[Verb.INFO](job, 0, ada(guild), context)
    again = await actions[Verb.AGAIN](job, 0, ada(guild), context)

    assert isinstance(info, Message)
    assert "red fox" in (info.code or "")
    assert "--seed 77" in (info.code or "")
    assert isinstance(again, Message)
    request = await queued(context, guild, again)
    assert (request.prompt, request.negative_prompt, request.steps) == ("red fox", "rain", 3)
    assert request.seed != 77


async def test_what_was_drawn_after_another_image_is_not_made_again(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """The key of that image in an untrusted file may be any."""
    await call("upscale", image=await handed_over(context, drawn(start=StartImage(image="k"))))
    job = await worked(context, guild)

    with pytest.raises(UserError, match="drawn after another picture, which its file does not hold"):
        await JOBS[JobKind.ENLARGE].actions[Verb.AGAIN](job, 0, ada(guild), context)


@pytest.mark.parametrize("text", ["{}", "[" * 1000, "x" * 40_000])
async def test_what_another_program_wrote_is_kept_and_a_damaged_text_is_not(
    call: CallCommand, context: AppContext, guild: Guild, text: str
) -> None:
    """A text that cannot be read does no harm, and is not carried on."""
    png = write_png(photo((64, 64)), {"parameters": "a cat, Steps: 5", "limner": text, "Comment": "my home"})
    await call("upscale", image=await handed_over(context, png))
    job = await worked(context, guild)

    (image,) = await context.queue.images(guild.id, job.id)
    texts = read_texts(await context.blobs.get(image.blob))
    assert texts["parameters"] == "a cat, Steps: 5"
    assert set(texts) == {"parameters", "postprocessing"}


async def test_drawn_again_without_words_it_takes_those_of_its_file(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """And the member's own where there are any."""
    image = await handed_over(context, drawn())

    own = await queued(context, guild, await call("upscale", image=image, redraw=0.5, steps=4))
    other = await queued(context, guild, await call("upscale", image=image, prompt="cat", steps=4))

    assert (own.prompt, own.negative_prompt) == ("red fox", "rain")
    assert (other.prompt, other.negative_prompt) == ("cat", "")
