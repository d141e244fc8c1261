"""The periodic duties."""

from pathlib import Path

import pytest

from handlers.buttons import Press, press
from handlers.commands.context import AppContext
from handlers.worker.maintenance import forget_offers, sweep_trainings
from pipeline.errors import UserError
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobKind
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeClock
from tests.handlers.training.trainings import FakeTrain, Files, caller, ended, png, start, working


@pytest.mark.slow  # it reads and draws real images
async def test_what_came_to_nothing_is_gone_after_a_day(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """The images, and what a training that failed had written; what goes on is left alone."""
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    trainings = tmp_path / "trainings"
    train = FakeTrain(ends=UserError("The disk is full."), waits=True)
    async with working(context, sqlite, tmp_path, train):
        checked = await ended(context, guild, JobKind.CHECK_IMAGES)
        await press(start(checked), caller(guild), context)
        await train.begun.wait()
        await sweep_trainings(sqlite, context.handed, trainings)
        assert len(list(trainings.glob("*/images/*.png"))) == 3
        (number,) = [job.id for job in await context.queue.guild_jobs(guild.id) if job.kind == JobKind.TRAIN]

        async def learnt() -> bool:
            job = await context.queue.get(guild.id, number)
            return job is not None and job.step > 0

        await eventually(learnt)
        await call("cancel", job=number, confirm=True)
        assert (await ended(context, guild, JobKind.TRAIN)).error == "The disk is full."
    assert await context.handed.are_kept(guild.id, checked.id)
    clock.advance(86_401)
    await sweep_trainings(sqlite, context.handed, trainings)
    assert not await context.handed.are_kept(guild.id, checked.id)
    assert list(trainings.iterdir()) == []


async def test_offers_that_nobody_came_back_to_are_forgotten(
    context: AppContext, guild: Guild, call: CallCommand, clock: FakeClock
) -> None:
    """A week on, a form or an offer is answered with a sentence, and nothing of it is kept."""
    offer = (await call("imagine", prompt="{red|blue} fox")).buttons[0][0]
    clock.advance(8 * 86_400)

    await forget_offers(context.clicks, context.inbox, context.calls)

    assert await context.calls.get(guild.id, offer.target) is None
    with pytest.raises(UserError, match="too old"):
        await press(Press(verb=offer.verb, target=offer.target, index=0), caller(guild), context)
