"""/lora mix: many images that differ in their LoRAs' scales alone, shown as one."""

import io

import pytest
from PIL import Image

from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora, new_key
from storage.queue.jobs import Job, JobState
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice
from tests.pool import rendering


@pytest.fixture(autouse=True)
async def library(context: AppContext, guild: Guild) -> None:
    for name, words in (("crayon", "crayon drawing"), ("film", ""), ("glow", "")):
        await context.loras.add(
            NewLora(
                guild_id=guild.id, name=name, owner_id="ada", base_family=ModelFamily.SDXL, key=new_key(guild.id),
                size=1, trigger_words=words,
            )
        )  # fmt: skip


async def ended(context: AppContext, guild: Guild) -> Job:
    async def look() -> Job | None:
        (job, *_) = await context.queue.guild_jobs(guild.id)
        return job if job.finished_at is not None else None

    return await eventually(look)


async def test_two_loras_become_one_sheet_of_nine(
    call: CallCommand, context: AppContext, guild: Guild, clock: FakeClock
) -> None:
    """One job, one prompt, one seed; the first varies along the columns, the second along the rows, the third not."""
    device = FakeDevice()
    await call("lora mix", lora="crayon:0.6 film:-0.4 glow:1", prompt="a fox", seed=7)
    async with rendering(context, device):
        job = await ended(context, guild)

    assert job.state is JobState.DONE, job.error
    made = [render.request for render in device.submitted]
    assert [tuple(use.scale for use in image.loras) for image in made] == [
        (column, row, 1.0) for row in (-0.2, -0.4, -0.6) for column in (0.3, 0.6, 0.9)
    ]
    assert {(image.prompt, image.seed, image.count) for image in made} == {("a fox, crayon drawing", 7, 1)}
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    message = chat.delivered[-1][1]
    (sheet,) = message.images
    assert Image.open(io.BytesIO(sheet.data)).width > 3 * 8
    assert message.code == "/imagine a fox, crayon drawing --seed 7 --steps 20 --lora crayon:0.6 film:-0.4 glow:1"


async def test_a_stop_costs_no_image_and_the_next_worker_draws_the_sheet(
    call: CallCommand, context: AppContext, guild: Guild
) -> None:
    """Of all of them: those that were recorded are not made again."""
    await call("lora mix", lora="crayon", seed=7)
    first, second = FakeDevice(eager=False), FakeDevice()
    async with rendering(context, first):
        await eventually(lambda: _asked(first, 4))
        for render in first.submitted[:3]:
            first.finish(render)
        await eventually(lambda: _recorded(context, guild, 3))
    async with rendering(context, second):
        job = await ended(context, guild)
    assert job.state is JobState.DONE, job.error
    assert len(second.submitted) == 1
    assert [image.index for image in await context.queue.images(guild.id, job.id)] == [0, 1, 2, 3, 4]


async def _asked(device: FakeDevice, count: int) -> bool:
    return len(device.submitted) >= count


async def _recorded(context: AppContext, guild: Guild, count: int) -> bool:
    (job,) = await context.queue.guild_jobs(guild.id)
    return len(await context.queue.images(guild.id, job.id)) >= count


@pytest.mark.parametrize(
    "lora", [" ", ",", "nobody:0.5", "crayon:9", "<lora:crayon:1:in=0>", f"<lora:crayon:1:lbw=1.5{',1' * 11}>"]
)
async def test_what_is_no_mix_is_refused(call: CallCommand, context: AppContext, guild: Guild, lora: str) -> None:
    """Before anything is queued."""
    with pytest.raises(InvalidRequest):
        await call("lora mix", lora=lora)
    assert await context.queue.guild_jobs(guild.id) == ()
