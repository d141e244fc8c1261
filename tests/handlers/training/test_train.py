"""/train from the call to a LoRA: a real queue, real images, a training that is reported rather than done."""

from pathlib import Path

import pytest

from handlers.buttons import press
from handlers.commands.actions import AlreadyHeard
from handlers.commands.arguments import Value
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from pipeline.errors import InvalidRequest, UserError
from pipeline.training.messages import TrainingPace
from storage.database import Database
from storage.guilds.guilds import Guild, GuildSettings
from storage.library.blob_gc import collect_blobs
from storage.queue.jobs import JobKind, JobState
from tests.app_contexts import CallCommand
from tests.fakes import FakeClock
from tests.handlers.training.trainings import FakeTrain, Files, caller, delivered, ended, png, start, working

pytestmark = pytest.mark.slow  # every test reads and draws real images


async def test_from_images_to_a_subject_in_a_prompt(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    given = await files(png(1), png(2), png(3), png(1))
    await call("train subject", name="rex", **{"class": "dog"}, mine=True, **given)
    train = FakeTrain()
    async with working(context, sqlite, tmp_path, train):
        checked = await ended(context, guild, JobKind.CHECK_IMAGES)
        sheet = await delivered(context, clock)
        assert [button.label for row in sheet.buttons for button in row] == ["Start", "Change the class word", "Cancel"]
        assert len(sheet.images) == 1
        assert train.orders == []  # nothing is learnt before the member has said so

        await press(start(checked), caller(guild), context)
        assert isinstance(await press(start(checked), caller(guild), context), AlreadyHeard)
        job = await ended(context, guild, JobKind.TRAIN)
        ready = await delivered(context, clock)

    assert job.state is JobState.DONE, job.error
    (order,) = train.orders
    assert len(order.images) == 3  # the fourth is the first again
    assert order.plan.class_prompt == "dog"
    word = order.plan.instance_prompt.removesuffix(" dog")
    assert train.paces == [TrainingPace(busy=True)]
    lora = await context.loras.get(guild.id, "ada", "rex")
    assert lora is not None
    assert (tmp_path / "loras" / f"{lora.key}.safetensors").read_text() == "100.safetensors"
    assert ready.headline == "rex is ready"
    assert any("Looks like it 100% · follows the prompt 75%" in line for line in ready.lines)
    assert len(ready.images) == 1

    await call("imagine", prompt="@Rex:0.7 on a beach")
    (imagine,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind == JobKind.IMAGINE]
    assert f'"{word} dog on a beach"' in imagine.payload
    assert '"scale":0.7' in imagine.payload
    with pytest.raises(InvalidRequest, match="did you mean 'rex'"):
        await call("imagine", prompt="@rax on a beach")

    # The images that were handed over go with the next sweep; the sheets stay.
    kept = {key async for key in context.blobs.keys(stored_before=float("inf"))}
    await collect_blobs(sqlite, context.blobs, grace_seconds=float("-inf"))
    left = {key async for key in context.blobs.keys(stored_before=float("inf"))}
    assert len(kept - left) == 3
    assert not list((tmp_path / "trainings").glob("*/images"))
    clock.advance(60)
    with pytest.raises(UserError, match="no longer kept"):
        await press(start(checked), caller(guild), context)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mine": False}, "your word"),
        ({"class": "a very good dog of mine"}, "one to three words"),
        ({"class": "old man"}, "an admin can allow it"),
        ({"name": "Rex the dog!"}, "cannot be a LoRA's name"),
    ],
)
async def test_what_cannot_be_is_refused_at_once(
    call: CallCommand, files: Files, changes: dict[str, Value], sentence: str
) -> None:
    given = await files(png(1), png(2), png(3))
    with pytest.raises(UserError, match=sentence):
        await call("train subject", **{"name": "rex", "class": "dog", "mine": True, **changes}, **given)


async def test_people_only_where_the_guild_and_the_person_agreed(
    call: CallCommand, context: AppContext, guild: Guild, files: Files
) -> None:
    given = await files(png(1), png(2), png(3))
    values = {"name": "ann", "class": "woman", "mine": True, **given}
    await context.guilds.save_settings(guild.id, GuildSettings(people=True), "Ada")
    for admin in (False, True):
        with pytest.raises(InvalidRequest, match="the person agreed"):
            await call("train subject", **values, admin=admin)
    assert (await call("train subject", **values, agreed=True)).job_id is not None


async def test_what_may_be_a_person_is_for_an_admin_to_order_where_people_are_off(
    call: CallCommand, files: Files
) -> None:
    """Words of any language that no list knows, also behind other words and in the plural."""
    given = await files(png(1), png(2), png(3))
    for word in ("actress", "mujer", "politician", "girls", "zorblax", "girl dog", "wooden woman"):
        values = {"name": "ann", "class": word, "mine": True, "agreed": True, **given}
        with pytest.raises(NotAllowed, match=r"Training on people is off here.*an admin can allow it"):
            await call("train subject", **values)
    assert (await call("train subject", name="zog", **{"class": "zorblax"}, mine=True, admin=True, **given)).job_id
    assert (await call("train subject", name="mug", **{"class": "coffee mugs"}, mine=True, **given)).job_id
