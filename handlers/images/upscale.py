"""/upscale: an image that was handed over made larger, by an upscaler alone or by a second pass of the model."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.permissions import check_permission
from handlers.images.hires_fix import FACTOR, second_pass
from handlers.images.input_image import AttachedImage, attached_image
from handlers.images.new_request import one_request
from handlers.images.options import DrawingOptions, Negative, Private
from handlers.images.submission import submit
from handlers.images.upscale_job import ENLARGEMENT, EnlargeOrder
from handlers.jobs.job_spec import JobSpec, without_context
from handlers.messages.job_status import ended, waited_long, waiting
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SIZE
from storage.queue.jobs import Job, JobKind, JobState, NewJob

_MOST: Final = 4
_SECONDS_PER_MEGAPIXEL: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleOptions(Options):
    """The options of /upscale."""

    prompt: Annotated[str | None, Details("What the picture shows, to draw it anew", rest=True)] = None
    image: Annotated[AttachedFile, Details("The picture to enlarge")]
    factor: Annotated[int | None, Details("How many times as large", low=FACTOR, high=_MOST)] = None
    upscaler: Annotated[str | None, Details("What enlarges it", completion=Completion.UPSCALERS)] = None
    redraw: Annotated[float | None, Details("How much is drawn anew", low=0.05, high=1)] = None
    negative: Negative = None
    drawing: DrawingOptions
    private: Private = None


async def upscale(caller: Caller, options: UpscaleOptions, context: AppContext) -> Message:
    """Queue the larger image; it is drawn again where the member says what it shows, or how much may change."""
    check_permission(caller, COMMAND.name)
    image = await attached_image(options.image, "image", context)
    factor = options.factor or FACTOR
    width, height = (factor * side for side in image.size)
    if max(width, height) > MAX_SIZE:
        raise InvalidRequest("factor", f"{width}×{height} is too large; stay within {MAX_SIZE}×{MAX_SIZE}.")
    if (options.prompt or "").strip() or options.redraw is not None:
        return await _redrawn(image.key, (width, height), caller, options, context)
    return await _enlarged(image, factor, options.upscaler, caller, context)


async def _redrawn(
    image: str, size: tuple[int, int], caller: Caller, options: UpscaleOptions, context: AppContext
) -> Message:
    if options.upscaler is not None:
        raise InvalidRequest("upscaler", "An upscaler draws nothing anew; leave it out, or prompt and redraw.")
    request, facts = await one_request(
        options.drawing, caller, context, prompt=options.prompt, negative=options.negative
    )
    return await submit(caller, context, second_pass(request, image, size, facts, options.redraw), facts)


async def _enlarged(
    image: AttachedImage, factor: int, named: str | None, caller: Caller, context: AppContext
) -> Message:
    names = await asyncio.to_thread(context.upscalers.names)
    upscaler = named or names[0]
    await asyncio.to_thread(context.upscalers.net, upscaler)
    width, height = (factor * side for side in image.size)
    order = EnlargeOrder(image=image.key, factor=factor, width=width, height=height, upscaler=upscaler)
    job = await context.queue.enqueue(
        NewJob(
            guild_id=caller.guild.id,
            member_id=caller.member.id,
            member_name=caller.member.name,
            kind=JobKind.ENLARGE,
            payload=ENLARGEMENT.write(order),
            reply=caller.reply,
            cost_key=f"{JobKind.ENLARGE} {upscaler}",
            cost_units=width * height / 1e6,
            seconds_per_unit=_SECONDS_PER_MEGAPIXEL,
            blobs=(image.key,),
        )
    )
    place = await context.queue.place(caller.guild.id, job.id)
    return waiting(job, order.title, place, restarted=False)


def enlarged(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The end of the job: the larger image, or why there is none."""
    order = ENLARGEMENT.read(job.payload)
    match job.state:
        case JobState.DONE:
            return Message(
                headline=order.title,
                mood=Mood.DONE,
                images=images,
                footer=f"{order.upscaler} · {job.device_seconds or 0:.1f} s",
                buttons=((Button(verb=Verb.DELETE, target=job.id, label="Delete"),),),
                mentions=waited_long(job),
                job_id=job.id,
            )
        case JobState.CANCELLED:
            return ended(job, order.title, Mood.CALM, "Cancelled.")
        case _:
            return ended(job, order.title, Mood.FAILED, job.error or "The picture could not be enlarged; try again.")


COMMAND: Final = Command(
    name="upscale",
    help="Make a picture larger",
    example="/upscale --image fox.png --factor 4",
    takes=UpscaleOptions,
    handler=upscale,
    notes=("With a prompt the model draws it again in its new size; without one an upscaler makes it larger as it is",),
)

JOB: Final = JobSpec(
    kind=JobKind.ENLARGE,
    title=lambda payload: ENLARGEMENT.read(payload).title,
    final_message=without_context(enlarged),
)
