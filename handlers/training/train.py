"""/train: from images to a sheet that shows what will be learnt, and from its button to a training."""

import re
from functools import partial
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.commands.permissions import check_permission
from handlers.context.lora_quota import LoraQuota
from handlers.jobs.job_spec import JobSpec
from handlers.messages.job_status import ended, waited_long, waiting
from handlers.messages.message import Message, Mood, ShownImage
from handlers.training.checkpoints import pick_buttons, read_picks
from handlers.training.request import ConceptKind, TrainFile, TrainOrder, read_training, write_training
from pipeline.errors import InvalidRequest, UserError
from pipeline.families.registry import FAMILIES
from pipeline.models.metadata import ModelFacts
from storage.library.loras import check_name, new_key
from storage.queue.jobs import Job, JobKind, JobState, NewJob

_FILES: Final = ("images", *(f"image-{number}" for number in range(2, 9)))
_CLASS: Final = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,2}")
_PEOPLE: Final = re.compile(
    r"\b(baby|boy|boyfriend|child|children|face|family|father|friend|girl|girlfriend|guy|human|husband|kid|lady|man|men"
    r"|mother|people|person|selfie|toddler|wife|woman|women)\b"
)
_SMALL: Final = 256
_CHECK_SECONDS: Final = 2.0


async def train(call: Call, context: AppContext, *, concept: ConceptKind) -> Message:
    """Queue a look at the images; nothing is learnt before the member has seen what would be."""
    check_permission(call, f"train {concept}")
    order = training_order(call, context, concept)
    await check_training_room(order, call, context)
    return await queue_check(order, call, context)


async def trained(job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
    """The end of the training: its sheet of samples, how good it is and how to use it, or why there is nothing."""
    order = read_training(job.payload)
    lora = await context.loras.with_key(job.guild_id, order.key)
    match job.state:
        case JobState.DONE if lora is not None:
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
        case JobState.DONE:
            return ended(job, order.title, Mood.CALM, "This LoRA was removed meanwhile.")
        case JobState.CANCELLED:
            return ended(job, order.title, Mood.CALM, "Cancelled; nothing was kept.")
        case _:
            return ended(job, order.title, Mood.FAILED, job.error or "The training failed; try again.")


def training_seconds(facts: ModelFacts) -> float:
    """About how long a training takes before one was measured."""
    if facts.width <= _SMALL:
        return 180.0
    return FAMILIES[facts.family].training_seconds


async def queue_check(order: TrainOrder, call: Call, context: AppContext) -> Message:
    """Queue a look at the order's images."""
    return await _queued(order, JobKind.CHECK_IMAGES, _CHECK_SECONDS, call, context)


async def queue_training(order: TrainOrder, call: Call, context: AppContext) -> Message:
    """Queue the training that the order asks for."""
    return await _queued(order, JobKind.TRAIN, training_seconds(context.model(order.model)), call, context)


async def _queued(order: TrainOrder, kind: JobKind, seconds: float, call: Call, context: AppContext) -> Message:
    job = await context.queue.enqueue(
        NewJob(
            guild_id=call.guild.id,
            member_id=call.member.id,
            member_name=call.member.name,
            kind=kind,
            payload=write_training(order),
            reply=call.reply,
            cost_key=f"{kind} {order.model}",
            cost_units=1.0,
            seconds_per_unit=seconds,
            blobs=tuple(dict.fromkeys(file.blob for file in order.files)),
            lora_key=order.key,
        )
    )
    place = await context.queue.place(call.guild.id, job.id)
    return waiting(job, order.title, place, restarted=False)


async def check_training_room(order: TrainOrder, call: Call, context: AppContext) -> None:
    """Raise UserError if the library is full or the name of something new taken."""
    room = LoraQuota(loras=context.loras, quota=context.lora_quota_bytes)
    await room.check(call.guild.id)
    if not order.retrain:
        await room.check_name(call.guild.id, call.member.id, order.name, private=order.private)


def training_order(call: Call, context: AppContext, concept: ConceptKind) -> TrainOrder:
    """What the call asks to be learnt; raises UserError."""
    given = call.arguments
    name = (given.text("name") or "").strip().lower()
    check_name(name)
    files = training_files(given)
    class_word = read_class_word(call) if concept is ConceptKind.SUBJECT else ""
    return TrainOrder(
        key=new_key(call.guild.id),
        name=name,
        concept=concept,
        class_word=class_word,
        model=context.model(given.text("model") or call.guild.settings.default_model).name,
        files=files,
        private=given.switch("private") or False,
    )


def training_files(given: Arguments) -> tuple[TrainFile, ...]:
    """The images that were handed over; raises InvalidRequest without the member's word that they may be."""
    if not given.switch("mine"):
        raise InvalidRequest(
            "mine", "Training needs your word that these pictures are yours to use; say so with the option mine."
        )
    files = (given.file(option) for option in _FILES)
    return tuple(TrainFile(blob=file.blob, name=file.name) for file in files if file is not None)


def read_class_word(call: Call) -> str:
    """What the subject is; raises UserError for a sentence, and for people where they may not be learnt."""
    word = (call.arguments.text("class") or "").strip().lower()
    if not _CLASS.fullmatch(word) or len(word) > 40:
        raise InvalidRequest("class", "The class is one to three words for what it is, such as dog, or coffee mug.")
    if _PEOPLE.search(word):
        if not call.guild.settings.people:
            raise UserError("Training on people is off here; an admin can allow it with /settings --people on.")
        if not call.arguments.switch("agreed"):
            raise InvalidRequest("agreed", "Say with the option agreed that the person agreed to be learnt.")
    return word


_NAME: Final = Option(name="name", help="What to call it here", required=True, rest=True)
MINE: Final = Option(name="mine", help="These pictures are mine to use", kind=OptionKind.SWITCH, required=True)
IMAGES: Final = (
    Option(name="images", help="A ZIP of 3 to 20 pictures, or the first", kind=OptionKind.FILE, required=True),
    *(Option(name=name, help="One more picture", kind=OptionKind.FILE) for name in _FILES[1:]),
)
CLASS: Final = Option(name="class", help="What it is, such as dog", required=True)
AGREED: Final = Option(name="agreed", help="The person in them agreed", kind=OptionKind.SWITCH)
MODEL: Final = Option(name="model", help="The model that learns it", flag_only=True)
_PRIVATE: Final = Option(name="private", help="For you alone", kind=OptionKind.SWITCH)
NOTES: Final = (
    "A sheet of the pictures comes back before anything is learnt",
    "The pictures are deleted when the training has ended",
)

SUBJECT: Final = Command(
    name="train subject",
    help="Teach a thing from a few pictures of it",
    example="/train subject rex --class dog --images rex.zip --mine",
    handler=partial(train, concept=ConceptKind.SUBJECT),
    options=(
        _NAME,
        CLASS,
        *IMAGES,
        MINE,
        AGREED,
        _PRIVATE,
        MODEL,
    ),
    notes=NOTES,
)

COMMANDS: Final = (
    SUBJECT,
    Command(
        name="train style",
        help="Teach a style from a few pictures in it",
        example="/train style crayon --images crayon.zip --mine",
        handler=partial(train, concept=ConceptKind.STYLE),
        options=(_NAME, *IMAGES, MINE, _PRIVATE, MODEL),
        notes=NOTES,
    ),
)

JOB: Final = JobSpec(kind=JobKind.TRAIN, title=lambda payload: read_training(payload).title, final_message=trained)
