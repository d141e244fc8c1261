"""The sheet of images that /train shows: start, leave an image out, add more, another class word."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.form import Form
from handlers.commands.forms import edit_form
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed, check_permission
from handlers.jobs.job_spec import Cost, JobSpec
from handlers.jobs.visible_job import visible_job
from handlers.messages.job_status import seconds_words, waited_long
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from handlers.training.class_word import read_class_word
from handlers.training.request import TRAINING, ConceptKind, TrainOrder
from handlers.training.train import (
    Agreed,
    ClassWord,
    TrainingFiles,
    check_training_room,
    queue_check,
    queue_training,
    training_files,
    training_seconds,
    uploads,
)
from pipeline.errors import InvalidRequest, UserError
from pipeline.training.request import MAX_IMAGES
from storage.library.loras import new_key
from storage.queue.jobs import Job, JobKind

_CHECK_SECONDS: Final = 2.0
_FEWEST: Final = 3
_ROW: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainAddOptions(Options):
    """The options of /train add."""

    files: TrainingFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainOptions(Options):
    """The options of /train again."""

    base: Annotated[int, Details("The number of their sheet", rest=True, low=1)]
    class_: ClassWord
    agreed: Agreed = None


async def images_checked(job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
    """The sheet, with a button that begins the training."""
    order = TRAINING.read(job.payload)
    seconds = training_seconds(context.model(order.model))
    return Message(
        headline=order.title,
        mood=Mood.DONE,
        lines=(
            "These pictures will be used as they are here, but for those with a reason under them.",
            f"Training takes {seconds_words(seconds)} on the device; it stops by itself.",
            *filter(None, (context.training_hours.words,)),
        ),
        images=images,
        buttons=_buttons(job, order, await _used(job, context)),
        mentions=waited_long(job),
        job_id=job.id,
    )


async def start_training(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """Queue the training of what the sheet shows."""
    order = await _kept(job, caller, context)
    await check_training_room(order, caller, context)
    return await queue_training(order, caller, context)


async def leave_out(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    """Look at the images again without number `index`; its twin may be used then."""
    order = await _kept(job, caller, context)
    used = await _used(job, context)
    if index not in used:
        raise InvalidRequest("index", f"Picture {index} is not used anyway.")
    if len(used) <= _FEWEST:
        raise UserError(f"Training needs {_FEWEST} pictures or more; add others with /train add.")
    return await queue_check(_again(order, caller, left_out=(*order.left_out, index)), caller, context)


async def class_form(job: Job, _index: int, caller: Caller, context: AppContext) -> Form:
    """A form for another class word."""
    order = await _kept(job, caller, context)
    again = AgainOptions(base=job.id, class_=order.class_word)
    return await edit_form(COMMAND, again.given(), caller, context, kept={"base"})


async def train_again(caller: Caller, options: AgainOptions, context: AppContext) -> Message:
    """Look at images that were handed over earlier, as what the new class word says."""
    job = await visible_job(options.base, caller, context)
    if job is None or job.kind not in (JobKind.CHECK_IMAGES, JobKind.TRAIN):
        raise InvalidRequest(
            "base", f"There is no sheet {options.base} here; send the pictures again with /train subject."
        )
    order = await _kept(job, caller, context)
    if order.concept is not ConceptKind.SUBJECT:
        raise InvalidRequest("class", "A style has no class word; send its pictures again with /train style.")
    order = _again(order, caller, class_word=read_class_word(options.class_, agreed=options.agreed, caller=caller))
    await check_training_room(order, caller, context)
    return await queue_check(order, caller, context)


async def train_add(caller: Caller, options: TrainAddOptions, context: AppContext) -> Message:
    """Look at the images of the caller's latest sheet again, with more behind them."""
    files = training_files(options.files)
    sheets = await context.queue.member_jobs(caller.guild.id, caller.member.id, kinds=(JobKind.CHECK_IMAGES,), limit=1)
    if not sheets:
        raise UserError("You have no sheet here to add pictures to; begin with /train subject or /train style.")
    order = await _kept(sheets[0], caller, context)
    if (count := len(order.files) + len(files)) > MAX_IMAGES:
        raise InvalidRequest("images", f"These would be {count} pictures; begin again with the best {MAX_IMAGES}.")
    order = _again(order, caller, files=(*order.files, *files))
    await check_training_room(order, caller, context)
    return await queue_check(order, caller, context)


async def _kept(job: Job, caller: Caller, context: AppContext) -> TrainOrder:
    """The order; raises UserError unless it is the caller's, they may still train, and its images are here."""
    order = TRAINING.read(job.payload)
    if job.member_id != caller.member.id:
        raise NotAllowed(f"These are {job.member_name}'s pictures; write /train with some of your own.")
    check_permission(caller, f"train {order.concept}")
    if not await context.handed.are_kept(caller.guild.id, job.id):
        raise UserError("These pictures are no longer kept; send them again with /train.")
    return order


def _again(order: TrainOrder, caller: Caller, **changes: object) -> TrainOrder:
    # Two sheets of the same images may both be started, and must not write into one file.
    return replace(order, key=new_key(caller.guild.id), **changes)  # type: ignore[arg-type] # names are the fields' own


async def _used(job: Job, context: AppContext) -> list[int]:
    """The numbers of the images that would be learnt, as the look noted them."""
    recorded = await context.queue.images(job.guild_id, job.id)
    return [int(number) for image in recorded for number in image.note.split()]


def _buttons(job: Job, order: TrainOrder, used: list[int]) -> tuple[tuple[Button, ...], ...]:
    start = Button(verb=Verb.TRAIN, target=job.id, label="Start")
    word = Button(verb=Verb.CLASS_WORD, target=job.id, label="Change the class word")
    cancel = Button(verb=Verb.DELETE, target=job.id, label="Cancel")
    first = (start, word, cancel) if order.concept is ConceptKind.SUBJECT else (start, cancel)
    if len(used) <= _FEWEST:
        return (first,)
    less = tuple(Button(verb=Verb.LEAVE_OUT, target=job.id, index=n, label=f"Leave out {n}") for n in used)
    return (first, *(less[at : at + _ROW] for at in range(0, len(less), _ROW)))


ADD: Final = Command(
    name="train add",
    help="Add pictures to those of your last sheet",
    example="/train add --images more.zip --mine",
    takes=TrainAddOptions,
    handler=train_add,
)

COMMAND: Final = Command(
    name="train again",
    help="Look at the same pictures again as something else",
    example="/train again 12 --class puppy",
    takes=AgainOptions,
    handler=train_again,
)


async def _cost(order: TrainOrder, _context: AppContext) -> Cost:
    return Cost(key=f"{JobKind.CHECK_IMAGES} {order.model}", seconds_per_unit=_CHECK_SECONDS)


JOB: Final = JobSpec(
    kind=JobKind.CHECK_IMAGES,
    payload=TRAINING,
    title=lambda order: order.title,
    cost=_cost,
    blobs=uploads,
    loras=lambda order: (order.key,),
    done=images_checked,
    failed="The pictures could not be read; try again.",
    actions={Verb.TRAIN: start_training, Verb.LEAVE_OUT: leave_out, Verb.CLASS_WORD: class_form},
)
