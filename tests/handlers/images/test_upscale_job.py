"""What a worker does for /upscale."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

from PIL import Image

from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.images.upscale_job import Enlarging
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.errors import UserError
from pipeline.images.png_text import read_texts, write_png
from pipeline.images.upscale_process import Enlargement
from storage.guilds.guilds import Guild
from storage.queue.jobs import Job, JobKind, JobState
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice
from tests.handlers.images.attached import attached, photo


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
    """By Lanczos where no net is there, three times as large, and says so in the image and under it."""
    message = await call("upscale", image=await attached(context, photo((50, 31))), factor=3)
    assert message.headline == "A picture 3 times as large, 150×93"

    job = await worked(context, guild)

    assert job.state is JobState.DONE, job.error
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    delivered = chat.delivered[-1][1]
    (image,) = delivered.images
    assert Image.open(io.BytesIO(image.data)).size == (150, 93)
    words = "Postprocess upscale by: 3, Postprocess upscaler: lanczos"
    assert read_texts(image.data)["postprocessing"] == words
    assert (delivered.footer or "").startswith("lanczos · ")
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

    assert (job.state, job.error) == (JobState.FAILED, "There is no upscaler 'sharp' here; there is: lanczos.")
