"""/lora add: from a link or a file to a queued job, and the card that comes of it."""

from dataclasses import dataclass, replace
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
from handlers.loras.import_request import LORA_ORDER, LoraOrder
from handlers.loras.library import card
from handlers.messages.job_status import ended
from handlers.messages.message import Message, Mood, ShownImage
from pipeline.errors import InvalidRequest
from pipeline.lora.format.scale_rule import ScaleRule
from storage.library.loras import check_name, new_key
from storage.queue.jobs import Job, JobKind

_PREVIEW_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions(Options):
    """The options of /lora add."""

    link: Annotated[str | None, Details("A page or file on Civitai or Hugging Face", rest=True)] = None
    file: Annotated[AttachedFile | None, Details("A .safetensors file")] = None
    name: Annotated[str | None, Details("What to call it here")] = None
    private: Annotated[bool | None, Details("For you alone")] = None
    alpha: Annotated[float | None, Details("Alpha, for a PEFT file without its config", low=-10_000, high=10_000)] = (
        None
    )
    scale_rule: Annotated[ScaleRule | None, Details("Whose program it follows at scales other than 1")] = None


async def add_lora(caller: Caller, options: AddOptions, context: AppContext) -> Message:
    """Queue the LoRA that the member hands over; what is wrong with the file they hear when it has been read."""
    check_permission(caller, COMMAND.name)
    return await queue_order(_order(caller, options), caller, context)


async def check_room(caller: Caller, options: AddOptions, context: AppContext) -> None:
    """Raise UserError where no file could be added as the caller wants it; what is in the file plays no part."""
    check_permission(caller, COMMAND.name)
    await _check(_wanted_name(options), caller, context, private=options.private or False)


async def queue_order(order: LoraOrder, caller: Caller, context: AppContext) -> Message:
    """Queue the order, unless its name is taken or the library full; raises UserError."""
    await _check(order.name, caller, context, private=order.private)
    return await context.jobs.enqueue(JobKind.ADD_LORA, order, caller, context)


async def _cost(_order: LoraOrder, _context: AppContext) -> Cost:
    return Cost(key=JobKind.ADD_LORA, seconds_per_unit=_PREVIEW_SECONDS)


async def lora_added(job: Job, images: tuple[ShownImage, ...], context: AppContext) -> Message:
    """The LoRA's card, with an image made with it."""
    order = LORA_ORDER.read(job.payload)
    lora = await context.loras.with_key(job.guild_id, order.key)
    if lora is None:
        return ended(job, order.title, Mood.CALM, "This LoRA was removed meanwhile.")
    return replace(card(lora), mood=Mood.DONE, images=images, job_id=job.id)


async def _check(name: str | None, caller: Caller, context: AppContext, *, private: bool) -> None:
    room = LoraQuota(loras=context.loras, quota=context.lora_quota_bytes)
    await room.check(caller.guild.id)
    if name is not None:
        await room.check_name(caller.guild.id, caller.member.id, name, private=private)


def _wanted_name(options: AddOptions) -> str | None:
    name = (options.name or "").strip().lower() or None
    if name is not None:
        check_name(name)
    return name


def _order(caller: Caller, options: AddOptions) -> LoraOrder:
    link, file = (options.link or "").strip() or None, options.file
    if (link is None) == (file is None):
        raise InvalidRequest("link", "/lora add takes a link or a .safetensors file; give one of the two.")
    return LoraOrder(
        key=new_key(caller.guild.id),
        link=link,
        blob=None if file is None else file.blob,
        file_name="" if file is None else file.name,
        name=_wanted_name(options),
        private=options.private or False,
        alpha=options.alpha,
        scale_rule=options.scale_rule or ScaleRule.LINEAR,
    )


COMMAND: Final = Command(
    name="lora add",
    help="Add a LoRA from a link or a file",
    example="/lora add https://civitai.com/models/1 --name crayon",
    takes=AddOptions,
    handler=add_lora,
    check=check_room,
)

JOB: Final = JobSpec(
    kind=JobKind.ADD_LORA,
    payload=LORA_ORDER,
    title=lambda order: order.title,
    cost=_cost,
    blobs=lambda order: () if order.blob is None else (order.blob,),
    loras=lambda order: (order.key, *(part.key for part in order.parts)),
    done=lora_added,
    failed="The LoRA could not be added; try again.",
    cancelled="Cancelled; /lora list shows what is here.",
)
