"""/upscale: an image that was handed over made larger, by an upscaler alone or by a second pass of the model."""

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.permissions import check_permission
from handlers.images.hires_fix import FACTOR, second_pass
from handlers.images.imagine import imagine
from handlers.images.info import metadata_info
from handlers.images.input_image import AttachedImage, attached_image
from handlers.images.new_request import one_request
from handlers.images.options import DrawingOptions, Negative, Private, request_options
from handlers.images.submission import submit
from handlers.images.upscale_job import ENLARGEMENT, EnlargeOrder
from handlers.jobs.job_spec import Cost, JobSpec, without_context
from handlers.messages.job_status import waited_long
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from pipeline.errors import InvalidRequest, UserError
from pipeline.images.metadata import KEYWORD, PARAMETERS, parse
from pipeline.requests.image_request import MAX_SIZE
from storage.queue.jobs import Job, JobKind

_MOST: Final = 4
_SECONDS_PER_MEGAPIXEL: Final = 5.0
"""Of the net that ships, on one core of a CPU."""

_MOST_CHARACTERS: Final = 32 * 1024
"""Of a text in a file: more than our own can have, and what a job's row may hold."""


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
    image = await attached_image(options.image, "image", caller, context, keywords=(PARAMETERS, KEYWORD))
    factor = options.factor or FACTOR
    width, height = (factor * side for side in image.size)
    if max(width, height) > MAX_SIZE:
        raise InvalidRequest("factor", f"{width}×{height} is too large; stay within {MAX_SIZE}×{MAX_SIZE}.")
    if (options.prompt or "").strip() or options.redraw is not None:
        return await _redrawn(image, (width, height), caller, options, context)
    _check_undrawn(options)
    return await _enlarged(image, factor, options.upscaler, caller, context)


def _check_undrawn(options: UpscaleOptions) -> None:
    """Refuse what only counts where the model draws the image again."""
    drawing = options.drawing
    for_model = {
        "negative": options.negative, "seed": drawing.seed, "steps": drawing.steps, "lora": drawing.lora,
        "guidance": drawing.guidance, "model": drawing.model,
    }  # fmt: skip
    if said := next((name for name, value in for_model.items() if value is not None), None):
        raise InvalidRequest(said, f"{said} is for drawing the picture again; add redraw or a prompt, or leave it out.")


async def _redrawn(
    image: AttachedImage, size: tuple[int, int], caller: Caller, options: UpscaleOptions, context: AppContext
) -> Message:
    """Without words of the member's, with those that its file carries."""
    if options.upscaler is not None:
        raise InvalidRequest("upscaler", "An upscaler draws nothing anew; leave it out, or prompt and redraw.")
    prompt, negative = (options.prompt or "").strip(), options.negative
    if not prompt and (text := _metadata_text(image)):
        made = parse(text).made_from
        prompt, negative = made.prompt, made.negative_prompt if negative is None else negative
    request, facts = await one_request(options.drawing, caller, context, prompt=prompt, negative=negative)
    return await submit(caller, context, second_pass(request, image.key, size, facts, options.redraw), facts)


async def _enlarged(
    image: AttachedImage, factor: int, named: str | None, caller: Caller, context: AppContext
) -> Message:
    names = await asyncio.to_thread(context.upscalers.names)
    upscaler = named or names[0]
    await asyncio.to_thread(context.upscalers.net, upscaler)
    width, height = (factor * side for side in image.size)
    order = EnlargeOrder(
        image=image.key,
        mask=image.mask,
        factor=factor,
        width=width,
        height=height,
        upscaler=upscaler,
        parameters=image.texts.get(PARAMETERS, "")[:_MOST_CHARACTERS],
        metadata=_metadata_text(image),
    )
    return await context.jobs.enqueue(JobKind.ENLARGE, order, caller, context)


async def _cost(order: EnlargeOrder, _context: AppContext) -> Cost:
    megapixels = order.width * order.height / 1e6
    return Cost(key=f"{JobKind.ENLARGE} {order.upscaler}", units=megapixels, seconds_per_unit=_SECONDS_PER_MEGAPIXEL)


def enlarged(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The larger image."""
    order, words = ENLARGEMENT.read(job.payload), [(Verb.DELETE, "Delete")]
    facts: tuple[str, ...] = (order.upscaler, f"{job.device_seconds or 0:.1f} s")
    headline = order.title
    if order.metadata:
        made = parse(order.metadata).made_from
        headline, facts = made.prompt, (made.model, order.size, f"seed {made.seed}", *facts)
        words = [(Verb.AGAIN, "Again"), (Verb.INFO, "Info"), *words]
    return Message(
        headline=headline,
        mood=Mood.DONE,
        images=images,
        footer=" · ".join(facts),
        buttons=(tuple(Button(verb=verb, target=job.id, label=label) for verb, label in words),),
        mentions=waited_long(job),
        job_id=job.id,
    )


def _metadata_text(image: AttachedImage) -> str:
    """What the file says of how its image was made; empty where it says nothing that can be read."""
    text = image.texts.get(KEYWORD, "")
    try:
        parse(text or None)
    except UserError:
        return ""
    return text if len(text) <= _MOST_CHARACTERS else ""


async def _info(job: Job, _index: int, caller: Caller, _context: AppContext) -> Message:
    """How the image was made before it was enlarged."""
    return metadata_info(parse(ENLARGEMENT.read(job.payload).metadata or None), caller)


async def _again(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """The image that was enlarged, with another seed; its file is not trusted, so that it is asked for as in words."""
    made = parse(ENLARGEMENT.read(job.payload).metadata or None).made_from
    if made.image_keys:
        raise UserError("This was drawn after another picture, which its file does not hold; attach that to /edit.")
    again = replace(made, seed=context.new_seed(), variations=())
    options = request_options(again, caller.guild.settings.default_vae)
    return await imagine(caller, options, context)


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
    blobs=lambda order: (order.image,) if order.mask is None else (order.image, order.mask),
    done=without_context(enlarged),
    failed="The picture could not be enlarged; try again.",
    actions={Verb.AGAIN: _again, Verb.INFO: _info},
)
