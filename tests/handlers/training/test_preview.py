"""The sheet of images that /train shows."""

from pathlib import Path

import pytest

from handlers.buttons import Press, press
from handlers.commands.actions import AlreadyHeard
from handlers.commands.context import AppContext
from handlers.commands.form import Form
from handlers.commands.forms import submit_form
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Verb
from handlers.training import preview as train_sheet
from handlers.training.request import TRAINING
from pipeline.errors import InvalidRequest, UserError
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobKind
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock
from tests.handlers.training.trainings import FakeTrain, Files, caller, delivered, ended, labels, png, start, working

pytestmark = pytest.mark.slow  # every test reads and draws real images


async def test_an_image_is_left_out_until_three_are_left(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """What is left is looked at again, so that the twin of the one that goes is used; two clicks at once are one."""
    given = await files(png(1), png(2), png(3), png(4), png(1))
    await call("train style", name="crayon", mine=True, **given)
    train = FakeTrain()
    async with working(context, sqlite, tmp_path, train):
        first = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert labels(await delivered(context, clock)) == [f"Leave out {number}" for number in (1, 2, 3, 4)]
        with pytest.raises(NotAllowed, match="Ada's pictures"):
            await press(Press(verb=Verb.LEAVE_OUT, target=first.id, index=1), caller(guild, "bob"), context)
        await press(Press(verb=Verb.LEAVE_OUT, target=first.id, index=1), caller(guild), context)
        assert isinstance(await press(start(first), caller(guild), context), AlreadyHeard)
        second = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert labels(await delivered(context, clock)) == [f"Leave out {number}" for number in (2, 3, 4, 5)]

        await press(Press(verb=Verb.LEAVE_OUT, target=second.id, index=4), caller(guild), context)
        third = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert labels(await delivered(context, clock)) == []
        with pytest.raises(UserError, match="Training needs 3 pictures or more"):
            await press(Press(verb=Verb.LEAVE_OUT, target=third.id, index=2), caller(guild), context)
        clock.advance(60)
        await press(start(third), caller(guild), context)
        await ended(context, guild, JobKind.TRAIN)
    assert len(train.orders[0].images) == 3
    assert len({TRAINING.read(job.payload).key for job in (first, second, third)}) == 3


async def test_images_may_come_in_several_calls(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Too few at first is no end; an image that was left out stays out; what is learnt is all the rest."""
    with pytest.raises(UserError, match="no sheet here"):
        await call("train add", mine=True, **await files(png(9)))
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2)))
    train = FakeTrain()
    async with working(context, sqlite, tmp_path, train):
        few = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert (few.error or "").startswith("2 of 2 pictures can be used")
        with pytest.raises(InvalidRequest, match="your word"):
            await call("train add", mine=False, **await files(png(3)))
        with pytest.raises(UserError, match="no sheet here"):
            await call("train add", member="bob", mine=True, **await files(png(3)))
        with monkeypatch.context() as patch:
            patch.setattr(train_sheet, "MAX_IMAGES", 3)
            with pytest.raises(InvalidRequest, match="4 pictures; begin again with the best 3"):
                await call("train add", mine=True, **await files(png(3), png(4)))
        await call("train add", mine=True, **await files(png(3), png(4)))
        four = await ended(context, guild, JobKind.CHECK_IMAGES)
        await press(Press(verb=Verb.LEAVE_OUT, target=four.id, index=2), caller(guild), context)
        await ended(context, guild, JobKind.CHECK_IMAGES)
        await call("train add", mine=True, **await files(png(5)))
        last = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert labels(await delivered(context, clock)) == [f"Leave out {number}" for number in (1, 3, 4, 5)]
        await press(start(last), caller(guild), context)
        await ended(context, guild, JobKind.TRAIN)
    assert len(train.orders[0].images) == 4


async def test_another_class_word_is_asked_in_a_form(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """And is held to what every class word is."""
    given = await files(png(1), png(2), png(3))
    await call("train subject", name="rex", **{"class": "dog"}, mine=True, **given)
    async with working(context, sqlite, tmp_path, FakeTrain()):
        first = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert (await delivered(context, clock)).headline == "rex, a dog"
        form = await press(Press(verb=Verb.CLASS_WORD, target=first.id, index=0), caller(guild), context)
        assert isinstance(form, Form)
        entries = {field.option.name: field.value for field in form.fields}
        assert entries["class"] == "dog"
        with pytest.raises(InvalidRequest, match="one to three words"):
            await submit_form(form.call_id, entries | {"class": "a dog of mine, large"}, caller(guild), context)
        await submit_form(form.call_id, entries | {"class": "puppy"}, caller(guild), context)
        second = await ended(context, guild, JobKind.CHECK_IMAGES)
        assert (await delivered(context, clock)).headline == "rex, a puppy"
    with pytest.raises(InvalidRequest, match="no sheet 999"):
        await call("train again", base=999, **{"class": "puppy"})
    with pytest.raises(NotAllowed, match="Ada's pictures"):
        await call("train again", member="bob", base=second.id, **{"class": "puppy"})


async def test_nobody_else_begins_it(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain()):
        job = await ended(context, guild, JobKind.CHECK_IMAGES)
    with pytest.raises(NotAllowed, match="Ada's pictures"):
        await press(start(job), caller(guild, "bob"), context)
