"""From images to a LoRA by the real trainer, in its own process, on the embedded model, and to an image with it."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from handlers.buttons import press
from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from pipeline.engine.engine import Engine
from pipeline.lora.format.file import LoraFile
from pipeline.models.source import EMBEDDED
from pipeline.requests.device_messages import Rendered
from pipeline.requests.device_spec import DeviceSpec
from pipeline.training.messages import TrainingPace
from pipeline.training.process import train_apart
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobKind, JobState
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock
from tests.handlers.training.trainings import caller, delivered, ended, png, start, working

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a process that loads a model, learns and judges


async def four_steps(
    order: TrainingRequest, progress: Callable[[TrainingProgress], None], pace: Callable[[], TrainingPace]
) -> TrainingReport:
    """As ordered, but for the time that it would take."""
    plan = replace(order.plan, steps=4, keep_every=2, look_every=2, batch=1, class_images=1, templates=("{}",))
    return await train_apart(replace(order, plan=plan, device="cpu"), progress, pace)


async def test_what_was_learnt_can_be_used(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path
) -> None:
    names = ("images", "image-2", "image-3")
    given = {
        name: AttachedFile(blob=await context.blobs.put(png(number)), name="p.png", size=1)
        for number, name in enumerate(names)
    }
    await call("train subject", name="rex", **{"class": "dog"}, mine=True, **given)
    async with working(context, sqlite, tmp_path, four_steps):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        job = await ended(context, guild, JobKind.TRAIN)
        ready = await delivered(context, clock)

    assert job.state is JobState.DONE, job.error
    assert len(ready.images) == 1
    lora = await context.loras.get(guild.id, "ada", "rex")
    assert lora is not None
    assert LoraFile.open(tmp_path / "loras" / f"{lora.key}.safetensors").layers

    await call("imagine", prompt="@rex on a beach")
    (imagine,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind == JobKind.IMAGINE]
    request = REQUEST.read(imagine.payload)
    engine = Engine(DeviceSpec(models=(EMBEDDED,), device="cpu", loras=tmp_path / "loras", threads=1))
    engine.admit("rex", replace(request, steps=2))
    engine.admit("plain", replace(request, steps=2, loras=()))
    made: dict[str, bytes] = {}
    while not engine.idle:
        made |= {event.ticket: event.png for event in engine.step() if isinstance(event, Rendered)}
    with Image.open(io.BytesIO(made["rex"])) as rex, Image.open(io.BytesIO(made["plain"])) as plain:
        assert rex.tobytes() != plain.tobytes()
