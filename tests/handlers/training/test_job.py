"""What a worker does for /train."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers.buttons import press
from handlers.commands.context import AppContext
from handlers.context.training_hours import TrainingHours
from handlers.delivery.delivery import Delivery
from handlers.messages.job_status import in_progress
from pipeline.families.family import ModelFamily
from pipeline.training.messages import TrainingPace
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora, new_key
from storage.queue.jobs import Job, JobKind, JobState
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock
from tests.handlers.training.trainings import FakeTrain, Files, caller, delivered, ended, png, start, working

pytestmark = pytest.mark.slow  # every test reads and draws real images


async def test_an_attempt_that_broke_goes_on_with_the_same_word(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    train = FakeTrain(ends=RuntimeError("the process died"))
    async with working(context, sqlite, tmp_path, train):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        await train.begun.wait()

        async def tried_again() -> bool:
            clock.advance(60)
            return len(train.orders) == 2

        await eventually(tried_again)
        await ended(context, guild, JobKind.TRAIN)
    first, second = train.orders
    assert first == second


async def test_too_few_images_end_in_their_reasons(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    given = await files(png(1), png(1), b"no picture")
    await call("train style", name="crayon", mine=True, **given)
    async with working(context, sqlite, tmp_path, FakeTrain()):
        job = await ended(context, guild, JobKind.CHECK_IMAGES)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.startswith("1 of 3 pictures can be used (nearly the same as 1; not a picture that can be read)")


async def test_a_name_that_is_taken_while_it_is_learnt_costs_no_training(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """What was learnt gets the next name; the other keeps its own."""
    train = FakeTrain()

    async def meanwhile(
        order: TrainingRequest, progress: Callable[[TrainingProgress], None], pace: Callable[[], TrainingPace]
    ) -> TrainingReport:
        await context.loras.add(
            NewLora(
                guild_id=guild.id, name="crayon", owner_id="bob", base_family=ModelFamily.SDXL, key=new_key(guild.id),
                size=1,
            )
        )  # fmt: skip
        return await train(order, progress, pace)

    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, meanwhile):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        job = await ended(context, guild, JobKind.TRAIN)
    assert job.state is JobState.DONE, job.error
    assert (await delivered(context, clock)).headline == "crayon-2 is ready"
    owners = {name: await context.loras.get(guild.id, "ada", name) for name in ("crayon", "crayon-2")}
    assert {name: lora and lora.owner_id for name, lora in owners.items()} == {"crayon": "bob", "crayon-2": "ada"}


async def test_trainings_run_in_their_hours_alone(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """None begins before, one under way waits outside, and both the sheet and its own message say so."""
    hour, looked = 21, asyncio.Event()

    def now() -> datetime:
        looked.set()
        return datetime(2026, 3, 1, hour, tzinfo=UTC)

    hours = TrainingHours.parse("22-6", now)
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    train = FakeTrain()
    async with working(context, sqlite, tmp_path, train, hours):
        checked = await ended(context, guild, JobKind.CHECK_IMAGES)
        lines = (await delivered(replace(context, training_hours=hours), clock)).lines
        assert "Trainings run here between 22:00 and 6:00 only." in lines
        await press(start(checked), caller(guild), context)
        await looked.wait()
        assert train.orders == []
        chat = FakeChat()
        delivery = Delivery(context=replace(context, training_hours=hours), chat=chat, poster="p", clock=clock)
        await delivery.show_progress()
        assert "Trainings run here between 22:00 and 6:00 only." in chat.progress[-1].lines
        hour = 22
        await ended(context, guild, JobKind.TRAIN)
    assert not train.paces[0].paused


async def test_progress_shows_the_samples(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain(waits=True)):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)

        async def shown() -> Job | None:
            (job,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind == JobKind.TRAIN]
            return job if job.preview else None

        job = await eventually(shown)
        assert (job.step, job.steps, job.preview) == (30, 100, png(99))


async def test_a_training_that_is_stopped_keeps_the_best_so_far(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """And has used no more of the device than it took."""
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain(waits=True)):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)

        async def label() -> str | None:
            (job,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind == JobKind.TRAIN]
            ((button,),) = in_progress(job, "crayon", None).buttons
            return str(job.id) if button.label == "Stop and keep the best" else None

        number = int(await eventually(label))
        await call("cancel", job=number, confirm=True)
        job = await ended(context, guild, JobKind.TRAIN)
        ready = await delivered(context, clock)
    assert (job.state, job.device_seconds) == (JobState.DONE, 65.0)
    assert ready.headline == "crayon is ready"
    assert await context.loras.get(guild.id, "ada", "crayon") is not None
