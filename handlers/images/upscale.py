"""/upscale: an image that was handed over made larger, by an upscaler alone or by a second pass of the model."""

import asyncio
from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option, OptionKind
from handlers.commands.permissions import check_permission
from handlers.images.edit import SHARED_OPTIONS
from handlers.images.hires_fix import FACTOR, second_pass
from handlers.images.imagine import one_request, submit
from handlers.images.input_image import AttachedImage, attached_image
from handlers.images.upscale_job import EnlargeOrder, read_enlargement, write_enlargement
from handlers.jobs.job_spec import JobSpec, without_context
from handlers.messages.job_status import ended, waited_long, waiting
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SIZE
from storage.queue.jobs import Job, JobKind, JobState, NewJob

_MOST: Final = 4
_SECONDS_PER_MEGAPIXEL: Final = 2.0


async def upscale(call: Call, context: AppContext) -> Message:
    """Queue the larger image; it is drawn again where the member says what it shows, or how much may change."""
    check_permission(call, COMMAND.name)
    given = call.arguments
    image = await attached_image(call, "image", context)
    assert image is not None, "the option is required"
    factor = given.integer("factor") or FACTOR
    width, height = (factor * side for side in image.size)
    if max(width, height) > MAX_SIZE:
        raise InvalidRequest("factor", f"{width}×{height} is too large; stay within {MAX_SIZE}×{MAX_SIZE}.")
    if (given.text("prompt") or "").strip() or given.number("redraw") is not None:
        return await _redrawn(image.key, (width, height), call, context)
    return await _enlarged(image, factor, call, context)


async def _redrawn(image: str, size: tuple[int, int], call: Call, context: AppContext) -> Message:
    if call.arguments.text("upscaler") is not None:
        raise InvalidRequest("upscaler", "An upscaler draws nothing anew; leave it out, or prompt and redraw.")
    request = await one_request(call, context)
    facts = context.model(request.model)
    return await submit(call, context, second_pass(request, image, size, facts, call.arguments.number("redraw")))


async def _enlarged(image: AttachedImage, factor: int, call: Call, context: AppContext) -> Message:
    names = await asyncio.to_thread(context.upscalers.names)
    upscaler = call.arguments.text("upscaler") or names[0]
    await asyncio.to_thread(context.upscalers.net, upscaler)
    width, height = (factor * side for side in image.size)
    order = EnlargeOrder(image=image.key, factor=factor, width=width, height=height, upscaler=upscaler)
    job = await context.queue.enqueue(
        NewJob(
            guild_id=call.guild.id,
            member_id=call.member.id,
            member_name=call.member.name,
            kind=JobKind.ENLARGE,
            payload=write_enlargement(order),
            reply=call.reply,
            cost_key=f"{JobKind.ENLARGE} {upscaler}",
            cost_units=width * height / 1e6,
            seconds_per_unit=_SECONDS_PER_MEGAPIXEL,
            blobs=(image.key,),
        )
    )
    place = await context.queue.place(call.guild.id, job.id)
    return waiting(job, order.title, place, restarted=False)


def enlarged(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The end of the job: the larger image, or why there is none."""
    order = read_enlargement(job.payload)
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
    handler=upscale,
    options=(
        Option(name="prompt", help="What the picture shows, to draw it anew", rest=True),
        Option(name="image", help="The picture to enlarge", kind=OptionKind.FILE, required=True),
        Option(name="factor", help="How many times as large", kind=OptionKind.INTEGER, low=FACTOR, high=_MOST),
        Option(name="upscaler", help="What enlarges it", completion=Completion.UPSCALERS),
        Option(name="redraw", help="How much is drawn anew", kind=OptionKind.NUMBER, low=0.05, high=1),
        *(option for option in SHARED_OPTIONS if option.name != "count"),
    ),
    notes=("With a prompt the model draws it again in its new size; without one an upscaler makes it larger as it is",),
)

JOB: Final = JobSpec(
    kind=JobKind.ENLARGE,
    title=lambda payload: read_enlargement(payload).title,
    final_message=without_context(enlarged),
)
