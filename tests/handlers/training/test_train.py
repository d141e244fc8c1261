"""/train from the call to a LoRA: a real queue, real images, a training that is reported rather than done."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handlers.buttons import AlreadyHeard, Press, press
from handlers.commands.arguments import Value
from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.forms import Form, submit_form
from handlers.commands.permissions import NotAllowed
from handlers.context.lora_quota import LoraQuota
from handlers.context.training_hours import TrainingHours
from handlers.delivery.delivery import Delivery
from handlers.jobs.preparation import Preparation
from handlers.messages.job_status import in_progress
from handlers.messages.message import Message, Verb
from handlers.registry import JOBS
from handlers.training import preview as train_sheet
from handlers.training.job import ImageCheck, TrainableModel, Trainer, Training
from handlers.training.request import read_training
from handlers.worker.maintenance import sweep_trainings
from handlers.worker.worker import Worker
from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.models.source import EMBEDDED, ModelSource
from pipeline.training.messages import TrainingPace
from pipeline.training.report import Scores, TrainingCandidate, TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest
from storage.database import Database
from storage.guilds.guilds import Guild, GuildSettings
from storage.library.blob_gc import collect_blobs
from storage.library.loras import NewLora, new_key
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind, JobState
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import FACTS, CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice

pytestmark = pytest.mark.slow  # every test reads and draws real images

POCKET = ModelSource.parse(EMBEDDED)
SCORES = Scores(subject=1.1, prompt=0.75, kept=0.9)


def png(seed: int) -> bytes:
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(patches).resize((200, 160), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


Files = Callable[..., Awaitable[dict[str, Value]]]


@dataclass(slots=True)
class FakeTrain:
    """Ends at once with two candidates, or as `ends` says."""

    ends: Exception | None = None
    waits: bool = False
    orders: list[TrainingRequest] = field(default_factory=list)
    paces: list[TrainingPace] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(
        self, order: TrainingRequest, progress: Callable[[TrainingProgress], None], pace: Callable[[], TrainingPace]
    ) -> TrainingReport:
        self.orders.append(order)
        self.paces.append(pace())
        progress(TrainingProgress(step=30, steps=100, sheet=png(99)))
        self.begun.set()
        if self.waits:

            async def asked_to_stop() -> bool:
                return pace().enough

            await eventually(asked_to_stop)
        if self.ends is not None:
            ends, self.ends = self.ends, None
            raise ends
        order.folder.mkdir(parents=True)
        for name in ("50.safetensors", "100.safetensors"):
            (order.folder / name).write_text(name)
        (order.folder / "sheet.png").write_bytes(png(7))
        return TrainingReport(
            candidates=tuple(
                TrainingCandidate(file=f"{step}.safetensors", step=step, scores=SCORES) for step in (50, 100)
            ),
            chosen=1, steps=100, settled=True, seconds=65.0, sheet="sheet.png",
        )  # fmt: skip


@pytest.fixture
def files(context: AppContext) -> Files:
    async def hand_over(*data: bytes) -> dict[str, Value]:
        names = ["images", *(f"image-{number}" for number in range(2, 9))]
        keys = [await context.blobs.put(one) for one in data]
        handed = [AttachedFile(blob=key, name="p.png", size=1) for key in keys]
        return dict(zip(names, handed, strict=False))

    return hand_over


@asynccontextmanager
async def working(
    context: AppContext, database: Database, folder: Path, train: Trainer, hours: TrainingHours | None = None
) -> AsyncIterator[Worker]:
    stop, models = asyncio.Event(), [TrainableModel(facts=FACTS, source=POCKET)]
    kinds: dict[JobKind, Preparation] = {
        JobKind.CHECK_IMAGES: ImageCheck(blobs=context.blobs, models=models),
        JobKind.TRAIN: Training(
            room=LoraQuota(loras=context.loras, quota=2**30), blobs=context.blobs, handed=context.handed,
            loras=folder / "loras", work=folder / "trainings", models=models, train=train, busy=lambda: True,
            hours=hours or TrainingHours(),
        ),
    }  # fmt: skip
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS,
        devices=(FakeDevice(),), kinds=kinds, drain_seconds=0.0,
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def ended(context: AppContext, guild: Guild, kind: JobKind) -> Job:
    async def look() -> Job | None:
        jobs = [job for job in await context.queue.guild_jobs(guild.id) if job.kind is kind]
        return jobs[0] if jobs and jobs[0].finished_at is not None else None

    return await eventually(look)


async def delivered(context: AppContext, clock: FakeClock) -> Message:
    """What the newest job came to; several that are due are posted in any order."""
    chat = FakeChat()
    await Delivery(context=context, chat=chat, poster="p", clock=clock).deliver_due()
    return max((message for _, message in chat.delivered), key=lambda message: message.job_id or 0)


def caller(guild: Guild, member: str = "ada") -> Caller:
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id=member)
    return Caller(guild=guild, member=Member(id=member, name=member.title(), is_admin=False), reply=address)


def labels(sheet: Message) -> list[str]:
    return [button.label for row in sheet.buttons[1:] for button in row]


def start(job: Job) -> Press:
    return Press(verb=Verb.TRAIN, target=job.id, index=0)


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
    (imagine,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind is JobKind.IMAGINE]
    assert f'"{word} dog on a beach"' in imagine.payload
    assert '"scale":0.7' in imagine.payload
    with pytest.raises(InvalidRequest, match="did you mean 'rex'"):
        await call("imagine", prompt="@rax on a beach")

    # The images that were handed over go with the next sweep; the sheets stay.
    kept = {key async for key in context.blobs.keys(stored_before=float("inf"))}
    await collect_blobs(sqlite, context.blobs, 0.0, lambda: float("inf"))
    left = {key async for key in context.blobs.keys(stored_before=float("inf"))}
    assert len(kept - left) == 3
    assert not list((tmp_path / "trainings").glob("*/pictures"))
    clock.advance(60)
    with pytest.raises(UserError, match="no longer kept"):
        await press(start(checked), caller(guild), context)


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
    with pytest.raises(InvalidRequest, match="the person agreed"):
        await call("train subject", **values)
    assert (await call("train subject", **values, agreed=True)).job_id is not None


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
    assert len({read_training(job.payload).key for job in (first, second, third)}) == 3


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


async def test_other_weights_of_a_training_are_chosen_by_button(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, clock: FakeClock, tmp_path: Path,
    files: Files,
) -> None:  # fmt: skip
    """And the best again; the files of all stay for that, and count."""
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain()):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)
        job = await ended(context, guild, JobKind.TRAIN)
        report = await delivered(context, clock)
    assert [button.label for button in report.buttons[0]] == ["Use step 50", "Use step 100"]

    async def weights(index: int) -> str:
        await press(Press(verb=Verb.PICK, target=job.id, index=index), caller(guild), context)
        lora = await context.loras.get(guild.id, "ada", "crayon")
        assert lora is not None
        assert lora.size == len("50.safetensors") + len("100.safetensors")
        assert f"{(50, 100)[index]} of 100 steps" in lora.story
        return (tmp_path / "loras" / f"{lora.key}.safetensors").read_text()

    assert await weights(0) == "50.safetensors"
    assert await weights(1) == "100.safetensors"
    with pytest.raises(InvalidRequest, match="no such weights"):
        await press(Press(verb=Verb.PICK, target=job.id, index=2), caller(guild), context)
    with pytest.raises(NotAllowed, match="another member's"):
        await press(Press(verb=Verb.PICK, target=job.id, index=0), caller(guild, "bob"), context)
    await call("lora remove", name="crayon", confirm=True)
    clock.advance(60)
    with pytest.raises(UserError, match="removed meanwhile"):
        await press(Press(verb=Verb.PICK, target=job.id, index=0), caller(guild), context)


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
    assert after.key == read_training(job.payload).key != before.key


async def test_a_deleted_subject_leaves_no_sheet(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    """Neither of its samples nor of any look at its images; other subjects keep theirs."""
    for name, seed in (("rex", 1), ("tom", 11)):
        given = await files(*(png(seed + at) for at in range(4)))
        await call("train subject", name=name, **{"class": "dog"}, mine=True, **given)
        async with working(context, sqlite, tmp_path, FakeTrain()):
            first = await ended(context, guild, JobKind.CHECK_IMAGES)
            await press(Press(verb=Verb.LEAVE_OUT, target=first.id, index=2), caller(guild), context)

            async def looked(first: Job = first) -> Job | None:
                second = await ended(context, guild, JobKind.CHECK_IMAGES)
                return second if second.id != first.id else None

            await press(start(await eventually(looked)), caller(guild), context)

            async def learnt(name: str = name) -> bool:
                return (await ended(context, guild, JobKind.TRAIN)).payload.find(f'"{name}"') > 0

            await eventually(learnt)

    (asked,) = (await call("subject delete", name="rex")).buttons[0]
    assert asked.label == "Delete it"
    assert len(await context.queue.guild_jobs(guild.id)) == 6
    with pytest.raises(NotAllowed, match="another member's"):
        await call("subject delete", member="bob", name="rex", confirm=True)

    await call("subject delete", name="rex", confirm=True)

    left = [read_training(job.payload).name for job in await context.queue.guild_jobs(guild.id)]
    assert left == ["tom"] * 3
    assert (await call("subject list")).lines[0].startswith("tom:1")


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


@pytest.mark.parametrize(
    ("text", "open_at"),
    [("22-6", {22, 23, 0, 1, 2, 3, 4, 5}), ("9-11", {9, 10}), ("0-24", set(range(24))), ("22-24", {22, 23})],
)
def test_hours_of_the_day(text: str, open_at: set[int]) -> None:
    def are_open(hour: int) -> bool:
        return TrainingHours.parse(text, lambda: datetime(2026, 3, 1, hour, tzinfo=UTC)).are_now

    assert {hour for hour in range(24) if are_open(hour)} == open_at


async def test_nobody_else_begins_it(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain()):
        job = await ended(context, guild, JobKind.CHECK_IMAGES)
    with pytest.raises(NotAllowed, match="Ada's pictures"):
        await press(start(job), caller(guild, "bob"), context)


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
        assert len(list(trainings.glob("*/pictures/*.png"))) == 3
        (number,) = [job.id for job in await context.queue.guild_jobs(guild.id) if job.kind is JobKind.TRAIN]

        async def learnt() -> bool:
            job = await context.queue.get(guild.id, number)
            return job is not None and job.step > 0

        await eventually(learnt)
        await press(Press(verb=Verb.CANCEL, target=number, index=0), caller(guild), context)
        assert (await ended(context, guild, JobKind.TRAIN)).error == "The disk is full."
    assert await context.handed.are_kept(guild.id, checked.id)
    clock.advance(86_401)
    await sweep_trainings(sqlite, context.handed, trainings)
    assert not await context.handed.are_kept(guild.id, checked.id)
    assert list(trainings.iterdir()) == []


async def test_progress_shows_the_samples(
    call: CallCommand, context: AppContext, guild: Guild, sqlite: Database, tmp_path: Path, files: Files
) -> None:
    await call("train style", name="crayon", mine=True, **await files(png(1), png(2), png(3)))
    async with working(context, sqlite, tmp_path, FakeTrain(waits=True)):
        await press(start(await ended(context, guild, JobKind.CHECK_IMAGES)), caller(guild), context)

        async def shown() -> Job | None:
            (job,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind is JobKind.TRAIN]
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
            (job,) = [one for one in await context.queue.guild_jobs(guild.id) if one.kind is JobKind.TRAIN]
            ((button,),) = in_progress(job, "crayon", None).buttons
            return str(job.id) if button.label == "Stop and keep the best" else None

        number = int(await eventually(label))
        await press(Press(verb=Verb.CANCEL, target=number, index=0), caller(guild), context)
        job = await ended(context, guild, JobKind.TRAIN)
        ready = await delivered(context, clock)
    assert (job.state, job.device_seconds) == (JobState.DONE, 65.0)
    assert ready.headline == "crayon is ready"
    assert await context.loras.get(guild.id, "ada", "crayon") is not None
