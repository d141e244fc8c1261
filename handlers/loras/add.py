"""/lora add: from a link or a file to a queued job, and the card that comes of it."""

from dataclasses import replace
from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.commands.permissions import check_permission
from handlers.context.lora_quota import LoraQuota
from handlers.jobs.job_spec import JobSpec
from handlers.loras.import_request import LoraOrder, read_order, write_order
from handlers.loras.library import card
from handlers.messages.job_status import ended, waiting
from handlers.messages.message import Message, Mood, ShownImage
from pipeline.errors import InvalidRequest
from storage.library.loras import check_name, new_key
from storage.queue.jobs import Job, JobKind, JobState, NewJob

_PREVIEW_SECONDS: Final = 30.0


async def add_lora(call: Call, context: AppContext) -> Message:
    """Queue the LoRA that the member hands over; what is wrong with the file they hear when it has been read."""
    check_permission(call, COMMAND.name)
    return await queue_order(_order(call), call, context)


async def check_room(call: Call, context: AppContext) -> None:
    """Raise UserError where no file could be added as the call wants it; what is in the file plays no part."""
    check_permission(call, COMMAND.name)
    await _check(_wanted_name(call), call, context, private=call.arguments.switch("private") or False)


async def queue_order(order: LoraOrder, call: Call, context: AppContext) -> Message:
    """Queue the order, unless its name is taken or the library full; raises UserError."""
    await _check(order.name, call, context, private=order.private)
    job = await context.queue.enqueue(
        NewJob(
            guild_id=call.guild.id,
            member_id=call.member.id,
            member_name=call.member.name,
            kind=JobKind.ADD_LORA,
            payload=write_order(order),
            reply=call.reply,
            cost_key=JobKind.ADD_LORA,
            cost_units=1.0,
            seconds_per_unit=_PREVIEW_SECONDS,
            blobs=() if order.blob is None else (order.blob,),
        )
    )
    place = await context.queue.place(call.guild.id, job.id)
    return waiting(job, order.title, place, restarted=False)


async def lora_added(job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
    """The end of the job: the LoRA's card with an image made with it, or why there is none."""
    order = read_order(job.payload)
    lora = await context.loras.with_key(job.guild_id, order.key)
    match job.state:
        case JobState.DONE if lora is not None:
            return replace(card(lora), mood=Mood.DONE, images=images, job_id=job.id)
        case JobState.DONE:
            return ended(job, order.title, Mood.CALM, "This LoRA was removed meanwhile.")
        case JobState.CANCELLED:
            return ended(job, order.title, Mood.CALM, "Cancelled; /lora list shows what is here.")
        case _:
            return ended(job, order.title, Mood.FAILED, job.error or "The LoRA could not be added; try again.")


async def _check(name: str | None, call: Call, context: AppContext, *, private: bool) -> None:
    room = LoraQuota(loras=context.loras, quota=context.lora_quota_bytes)
    await room.check(call.guild.id)
    if name is not None:
        await room.check_name(call.guild.id, call.member.id, name, private=private)


def _wanted_name(call: Call) -> str | None:
    name = (call.arguments.text("name") or "").strip().lower() or None
    if name is not None:
        check_name(name)
    return name


def _order(call: Call) -> LoraOrder:
    link, file = (call.arguments.text("link") or "").strip() or None, call.arguments.file("file")
    if (link is None) == (file is None):
        raise InvalidRequest("link", "/lora add takes a link or a .safetensors file; give one of the two.")
    return LoraOrder(
        key=new_key(call.guild.id),
        link=link,
        blob=None if file is None else file.blob,
        file_name="" if file is None else file.name,
        name=_wanted_name(call),
        private=call.arguments.switch("private") or False,
        accept_loss=call.arguments.switch("accept-loss") or False,
    )


COMMAND: Final = Command(
    name="lora add",
    help="Add a LoRA from a link or a file",
    example="/lora add https://civitai.com/models/1 --name crayon",
    handler=add_lora,
    check=check_room,
    options=(
        Option(name="link", help="A page or file on Civitai or Hugging Face", rest=True),
        Option(name="file", help="A .safetensors file", kind=OptionKind.FILE),
        Option(name="name", help="What to call it here"),
        Option(name="private", help="For you alone", kind=OptionKind.SWITCH),
        Option(name="accept-loss", help="Add it though part of it cannot be served", kind=OptionKind.SWITCH),
    ),
)

JOB: Final = JobSpec(kind=JobKind.ADD_LORA, title=lambda payload: read_order(payload).title, final_message=lora_added)
