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
from handlers.jobs.job_spec import Cost, JobSpec, without_context
from handlers.messages.job_status import waited_long
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SIZE
from storage.queue.jobs import Job, JobKind

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
    image = await attached_image(options.image, "image", caller, context)
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
    return await context.jobs.enqueue(JobKind.ENLARGE, order, caller, context)


async def _cost(order: EnlargeOrder, _context: AppContext) -> Cost:
    megapixels = order.width * order.height / 1e6
    return Cost(key=f"{JobKind.ENLARGE} {order.upscaler}", units=megapixels, seconds_per_unit=_SECONDS_PER_MEGAPIXEL)


def enlarged(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The larger image."""
    order = ENLARGEMENT.read(job.payload)
    return Message(
        headline=order.title,
        mood=Mood.DONE,
        images=images,
        footer=f"{order.upscaler} · {job.device_seconds or 0:.1f} s",
        buttons=((Button(verb=Verb.DELETE, target=job.id, label="Delete"),),),
        mentions=waited_long(job),
        job_id=job.id,
    )


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
    payload=ENLARGEMENT,
    title=lambda order: order.title,
    cost=_cost,
    blobs=lambda order: (order.image,),
    done=without_context(enlarged),
    failed="The picture could not be enlarged; try again.",
)
