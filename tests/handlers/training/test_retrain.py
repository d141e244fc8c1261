"""/subject retrain: a subject learnt again in its own place."""

from pathlib import Path

import pytest

from handlers.buttons import press
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.training.request import TRAINING
from pipeline.errors import UserError
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobKind, JobState
from tests.app_contexts import CallCommand
from tests.handlers.training.trainings import FakeTrain, Files, caller, ended, png, start, working

pytestmark = pytest.mark.slow  # every test reads and draws real images


async def test_a_subject_learnt_again_takes_its_own_place(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    """As what it was, unless one says else; nobody else's, and nothing that is no subject."""
    await call("train subject", name="rex", **{"class": "dog"}, mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain()):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        await ended(context, guild, JobKind.TRAIN)
    before = await context.loras.get(guild.id, "ada", "rex")
    assert before is not None
    others = await files(png(4), png(5), png(6))
    with pytest.raises(NotAllowed, match="only they can teach it anew"):
        await call("subject retrain", member="bob", name="rex", mine=True, **others)
    with pytest.raises(UserError, match="Training on people is off here"):
        await call("subject retrain", name="rex", **{"class": "man"}, mine=True, **others)

    await call("subject retrain", name="rex", mine=True, **others)
    train = FakeTrain()
    async with working(context, sqlite, tmp_path, train):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        job = await ended(context, guild, JobKind.TRAIN)

    assert job.state is JobState.DONE, job.error
    assert train.orders[0].plan.class_prompt == "dog"
    after = await context.loras.get(guild.id, "ada", "rex")
    assert after is not None
    assert after.id == before.id
    assert after.key == TRAINING.read(job.payload).key != before.key
