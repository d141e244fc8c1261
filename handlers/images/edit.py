"""/edit: an image drawn over another one, wholly or where a mask allows it, with or without a control."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.commands.permissions import check_permission
from handlers.images.earlier_request import ControlBase, controlled_request, drawn_as
from handlers.images.extra_controls import Also, more_controls
from handlers.images.input_image import AttachedImage, attached_image, with_more_around
from handlers.images.new_request import one_request
from handlers.images.options import Count, DrawingOptions, Negative, Private
from handlers.images.submission import submit
from handlers.messages.job_status import size_words
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest
from pipeline.images.image_process import KEPT_WHOLE
from pipeline.images.input_image import Ground
from pipeline.images.outpaint import MAX_AMOUNT, Direction
from pipeline.requests.aspect_ratio import size_like, size_over, whole_size
from pipeline.requests.control import MAX_CONTROL_SCALE, ControlKind, ControlUse
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import MAX_FEATHER, MAX_PADDING, StartImage


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions(Options):
    """The options of /edit."""

    prompt: Annotated[str, Details("What the picture shows then", rest=True)]
    image: Annotated[AttachedFile | None, Details("The picture to begin with", unless="base")] = None
    strength: Annotated[float | None, Details("How much changes", low=0.05, high=1)] = None
    mask: Annotated[AttachedFile | None, Details("White where it may change")] = None
    mask_of: Annotated[str | None, Details("Change only this, such as sky")] = None
    feather: Annotated[int | None, Details("Softness of the mask's edge", low=0, high=MAX_FEATHER)] = None
    padding: Annotated[
        int | None, Details("Draw the mask alone with so much around it, in full size", low=0, high=MAX_PADDING)
    ] = None
    outpaint: Annotated[Direction | None, Details("Draw more on this side")] = None
    amount: Annotated[int | None, Details("How much more, in percent", low=5, high=MAX_AMOUNT)] = None
    control: Annotated[ControlKind | None, Details("What else is kept")] = None
    control_image: Annotated[AttachedFile | None, Details("Kept of this picture instead")] = None
    control_scale: Annotated[float | None, Details("How much", low=0, high=MAX_CONTROL_SCALE)] = None
    also: Also = None
    negative: Negative = None
    count: Count = None
    drawing: DrawingOptions
    private: Private = None
    base: ControlBase = None


async def edit(caller: Caller, options: EditOptions, context: AppContext) -> Message:
    """Queue the image that is to come of the one that the member handed over, or of an earlier one's."""
    check_permission(caller, COMMAND.name)
    earlier = None if options.base is None else await controlled_request(caller, context, options.base)
    if options.image is None:
        assert earlier is not None, "the image is required without a base"
        return await _again_over(earlier, caller, options, context)
    allowed = caller.guild.settings.max_pixels
    in_part = (options.mask, options.mask_of, options.outpaint, options.padding)
    most = allowed if in_part == (None,) * len(in_part) else KEPT_WHOLE
    image = await attached_image(options.image, "image", caller, context, most_pixels=most)
    original, kept_of = image.size, options.control_image
    if image.mask is not None and options.outpaint is None and (options.control or options.also):
        kept_of = kept_of or options.image  # as it is seen, not as its file has it where it is transparent
    if options.mask is not None:
        mask = await attached_image(options.mask, "mask", caller, context, most_pixels=most, ground=Ground.BLACK)
        image = replace(image, mask=mask.key)
    if options.outpaint is not None:
        image = await with_more_around(image, options.outpaint, options.amount or 25, caller, context)
    elif options.amount is not None:
        raise InvalidRequest("amount", "amount is for outpaint; say on which side more is to be drawn.")
    control = image.key
    if kept_of is not None:
        control = (await attached_image(kept_of, "control-image", caller, context, ground=Ground.CONTRAST)).key
    request, facts = await one_request(
        options.drawing, caller, context, prompt=options.prompt, negative=options.negative, count=options.count
    )
    start = _start(options, image, image.mask)
    if options.padding is not None:
        width, height = size_like(*image.size, facts.width, allowed)
    else:
        width, height = size_over(*image.kept_size, facts.width, min(allowed, facts.max_pixels))
        if (width, height) != whole_size(*image.size):
            start = replace(start, original_size=original)
    controls = _same(earlier.controls, options) if earlier else _controls(options, control)
    request = replace(request, width=width, height=height, start=start, controls=controls)
    message = await submit(caller, context, request, facts)
    return replace(message, lines=(*message.lines, *size_words(request)))


async def _again_over(earlier: ImageRequest, caller: Caller, options: EditOptions, context: AppContext) -> Message:
    """Queue an image over the one that an earlier image was drawn over, with the same mask and the same control."""
    before = earlier.start
    if before is None:
        raise InvalidRequest(
            "image", "The picture of that number was not drawn over another; attach one to begin with."
        )
    for_another = {
        "mask": options.mask, "outpaint": options.outpaint, "control": options.control,
        "control-image": options.control_image, "also": options.also, "mask-of": options.mask_of,
    }  # fmt: skip
    for name, value in for_another.items():
        if value is not None:
            raise InvalidRequest(name, f"{name} is for another picture; attach that as the image.")
    start = replace(
        before,
        strength=before.strength if options.strength is None else options.strength,
        feather=before.feather if options.feather is None else options.feather,
        padding=before.padding if options.padding is None else options.padding,
    )
    request, facts = await one_request(
        options.drawing, caller, context, prompt=options.prompt, negative=options.negative, count=options.count
    )
    request = replace(drawn_as(request, earlier), width=earlier.width, height=earlier.height, start=start)
    return await submit(caller, context, replace(request, controls=_same(earlier.controls, options)), facts)


def _same(controls: tuple[ControlUse, ...], options: EditOptions) -> tuple[ControlUse, ...]:
    """The controls of an earlier image, as strong as they were if the member says nothing of it."""
    if options.control is not None or options.also is not None:
        sentence = "The controls of an earlier picture are used again; leave out control and also, or base."
        raise InvalidRequest("control", sentence)
    scale, (first, *others) = options.control_scale, controls
    return controls if scale is None else (replace(first, scale=scale), *others)


def _start(options: EditOptions, image: AttachedImage, mask: str | None) -> StartImage:
    strength, words = options.strength, (options.mask_of or "").strip() or None
    if mask is None and words is None and options.padding is not None:
        raise InvalidRequest("padding", "padding is for a mask; attach one, or a picture with a transparent part.")
    usual = StartImage(image=image.key)
    return StartImage(
        image=image.key,
        # What a mask marks is to be another thing; a whole image is to be recognised.
        strength=strength if strength is not None else usual.strength if mask is None and words is None else 1.0,
        mask=mask,
        mask_of=words,
        feather=usual.feather if options.feather is None else options.feather,
        padding=options.padding,
        feather_inside=options.outpaint is not None,
    )


def _controls(options: EditOptions, image: str) -> tuple[ControlUse, ...]:
    if options.control is None:
        return more_controls(options.also, image, None)
    scale = 1.0 if options.control_scale is None else options.control_scale
    first = ControlUse(kind=options.control, image=image, scale=scale)
    return (first, *more_controls(options.also, image, first.kind))


COMMAND: Final = Command(
    name="edit",
    help="Draw over a picture, wholly or in a part",
    example="/edit a fox in the snow --image fox.png --strength 0.6",
    takes=EditOptions,
    handler=edit,
    notes=(
        "Without a mask, the transparent part of the picture is one",
        "Everywhere outside the mask the picture stays as it is",
    ),
)
