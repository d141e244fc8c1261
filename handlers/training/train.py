"""/train: from images to a sheet that shows what will be learnt, and from its button to a training."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.commands.permissions import check_permission
from handlers.context.lora_quota import LoraQuota
from handlers.jobs.job_spec import Cost, JobSpec
from handlers.messages.job_status import ended, waited_long
from handlers.messages.message import Message, Mood, ShownImage, Verb
from handlers.training.checkpoints import pick_buttons, read_picks, use_pick
from handlers.training.class_word import read_class_word
from handlers.training.request import TRAINING, ConceptKind, TrainFile, TrainOrder
from pipeline.errors import InvalidRequest
from pipeline.families.registry import FAMILIES
from pipeline.models.metadata import ModelFacts
from storage.library.loras import check_name, new_key
from storage.queue.jobs import Job, JobKind

_SMALL: Final = 256

_Name = Annotated[str, Details("What to call it here", rest=True)]
ClassWord = Annotated[str, Details("What it is, such as dog")]
Agreed = Annotated[bool | None, Details("The person in them agreed")]
ModelName = Annotated[str | None, Details("The model that learns it", flag_only=True)]
_MoreImages = Annotated[AttachedFile | None, Details("One more picture")]
_Private = Annotated[bool | None, Details("For you alone")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFiles(Options):
    """The images to learn from, and the member's word that they may be."""

    images: Annotated[AttachedFile, Details("A ZIP of 3 to 20 pictures, or the first")]
    image_2: _MoreImages = None
    image_3: _MoreImages = None
    image_4: _MoreImages = None
    image_5: _MoreImages = None
    image_6: _MoreImages = None
    image_7: _MoreImages = None
    image_8: _MoreImages = None
    mine: Annotated[bool, Details("These pictures are mine to use")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOptions(Options):
    """The options of /train subject."""

    name: _Name
    class_: ClassWord
    files: TrainingFiles
    agreed: Agreed = None
    private: _Private = None
    model: ModelName = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleOptions(Options):
    """The options of /train style."""

    name: _Name
    files: TrainingFiles
    private: _Private = None
    model: ModelName = None


async def train_subject(caller: Caller, options: SubjectOptions, context: AppContext) -> Message:
    """Queue a look at the images of a thing; nothing is learnt before the member has seen what would be."""
    check_permission(caller, SUBJECT.name)
    order = training_order(
        caller, context, name=options.name, files=options.files, model=options.model, private=options.private,
        class_=options.class_, agreed=options.agreed,
    )  # fmt: skip
    await check_training_room(order, caller, context)
    return await queue_check(order, caller, context)


async def train_style(caller: Caller, options: StyleOptions, context: AppContext) -> Message:
    """Queue a look at the images in a style; nothing is learnt before the member has seen what would be."""
    check_permission(caller, STYLE.name)
    order = training_order(
        caller, context, name=options.name, files=options.files, model=options.model, private=options.private
    )
    await check_training_room(order, caller, context)
    return await queue_check(order, caller, context)


async def trained(job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
    """The sheet of samples, how good it is and how to use it."""
    order = TRAINING.read(job.payload)
    lora = await context.loras.with_key(job.guild_id, order.key)
    if lora is None:
        return ended(job, order.title, Mood.CALM, "This LoRA was removed meanwhile.")
    use = f"/imagine a picture of @{lora.name} on a beach" if order.concept is ConceptKind.SUBJECT else ""
    return Message(
        headline=f"{lora.name} is ready",
        mood=Mood.DONE,
        lines=(*lora.metadata.splitlines(), f"Try: {use or f'/imagine a fox --lora {lora.name}'}"),
        images=images,
        buttons=pick_buttons(job, await read_picks(job, context)),
        mentions=waited_long(job),
        job_id=job.id,
    )


def training_seconds(facts: ModelFacts) -> float:
    """About how long a training takes before one was measured."""
    if facts.width <= _SMALL:
        return 180.0
    return FAMILIES[facts.family].training_seconds


async def queue_check(order: TrainOrder, caller: Caller, context: AppContext) -> Message:
    """Queue a look at the order's images."""
    return await context.jobs.enqueue(JobKind.CHECK_IMAGES, order, caller, context)


async def queue_training(order: TrainOrder, caller: Caller, context: AppContext) -> Message:
    """Queue the training that the order asks for."""
    return await context.jobs.enqueue(JobKind.TRAIN, order, caller, context)


async def _cost(order: TrainOrder, context: AppContext) -> Cost:
    seconds = training_seconds(context.model(order.model))
    return Cost(key=f"{JobKind.TRAIN} {order.model}", seconds_per_unit=seconds)


def uploads(order: TrainOrder) -> tuple[str, ...]:
    """The blobs of the order's files."""
    return tuple(dict.fromkeys(file.blob for file in order.files))


async def check_training_room(order: TrainOrder, caller: Caller, context: AppContext) -> None:
    """Raise UserError if the library is full or the name of something new taken."""
    room = LoraQuota(loras=context.loras, quota=context.lora_quota_bytes)
    await room.check(caller.guild.id)
    if not order.retrain:
        await room.check_name(caller.guild.id, caller.member.id, order.name, private=order.private)


def training_order(
    caller: Caller, context: AppContext,
    *, name: str, files: TrainingFiles, model: str | None, private: bool | None = None, class_: str | None = None,
    agreed: bool | None = None,
) -> TrainOrder:  # fmt: skip
    """What the caller asks to be learnt: a subject where they give its class, else a style; raises UserError."""
    name = name.strip().lower()
    check_name(name)
    return TrainOrder(
        key=new_key(caller.guild.id),
        name=name,
        concept=ConceptKind.STYLE if class_ is None else ConceptKind.SUBJECT,
        files=training_files(files),
        class_word="" if class_ is None else read_class_word(class_, agreed=agreed, caller=caller),
        model=context.model(model or caller.guild.settings.default_model).name,
        private=private or False,
    )


def training_files(given: TrainingFiles) -> tuple[TrainFile, ...]:
    """The images that were handed over; raises InvalidRequest without the member's word that they may be."""
    if not given.mine:
        raise InvalidRequest(
            "mine", "Training needs your word that these pictures are yours to use; say so with the option mine."
        )
    files = (
        given.images, given.image_2, given.image_3, given.image_4,
        given.image_5, given.image_6, given.image_7, given.image_8,
    )  # fmt: skip
    return tuple(TrainFile(blob=file.blob, name=file.name) for file in files if file is not None)


NOTES: Final = (
    "A sheet of the pictures comes back before anything is learnt",
    "The pictures are deleted when the training has ended",
)

SUBJECT: Final = Command(
    name="train subject",
    help="Teach a thing from a few pictures of it",
    example="/train subject rex --class dog --images rex.zip --mine",
    takes=SubjectOptions,
    handler=train_subject,
    notes=NOTES,
)

STYLE: Final = Command(
    name="train style",
    help="Teach a style from a few pictures in it",
    example="/train style crayon --images crayon.zip --mine",
    takes=StyleOptions,
    handler=train_style,
    notes=NOTES,
)

COMMANDS: Final = (SUBJECT, STYLE)

JOB: Final = JobSpec(
    kind=JobKind.TRAIN,
    payload=TRAINING,
    title=lambda order: order.title,
    cost=_cost,
    blobs=uploads,
    loras=lambda order: (order.key,),
    done=trained,
    failed="The training failed; try again.",
    cancelled="Cancelled; nothing was kept.",
    actions={Verb.PICK: use_pick},
)
