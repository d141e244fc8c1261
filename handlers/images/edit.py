"""/edit: an image drawn over another one, wholly or where a mask allows it, with or without a control."""

from dataclasses import replace
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.commands.permissions import check_permission
from handlers.images.earlier_request import controlled_request
from handlers.images.extra_controls import ALSO, more_controls
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.imagine import one_request, submit
from handlers.images.input_image import AttachedImage, attached_image, with_more_around
from handlers.images.outpaint import MAX_AMOUNT, Direction
from handlers.messages.message import Message
from handlers.prompts.aspect_ratio import size_like
from pipeline.errors import InvalidRequest
from pipeline.requests.control import MAX_CONTROL_SCALE, ControlKind, ControlUse
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import MAX_FEATHER, MAX_PADDING, StartImage

_SHARED: Final = ("negative", "count", "seed", "steps", "lora", "guidance", "model", "private")

SHARED_OPTIONS: Final = tuple(option for option in IMAGINE.options if option.name in _SHARED)
"""What a command that begins with an image takes over from /imagine."""

BASE_OPTION: Final = Option(
    name="base", help="Use the control of this picture again", kind=OptionKind.INTEGER, low=1, flag_only=True
)


async def edit(call: Call, context: AppContext) -> Message:
    """Queue the image that is to come of the one that the member handed over, or of an earlier one's."""
    check_permission(call, COMMAND.name)
    base = call.arguments.integer("base")
    earlier = None if base is None else await controlled_request(call, context, base)
    image = await attached_image(call, "image", context)
    if image is None:
        assert earlier is not None, "the image is required without a base"
        return await _again_over(earlier, call, context)
    if (direction := call.arguments.text("outpaint")) is not None:
        image = await with_more_around(image, Direction(direction), call.arguments.integer("amount") or 25, context)
    mask, control = await attached_image(call, "mask", context), await attached_image(call, "control-image", context)
    request = await one_request(call, context)
    width, height = size_like(*image.size, context.model(request.model).width)
    start = _start(call.arguments, image, mask.key if mask else image.mask)
    controls = _same(earlier.controls, call.arguments) if earlier else _controls(call, control or image)
    return await submit(call, context, replace(request, width=width, height=height, start=start, controls=controls))


async def _again_over(earlier: ImageRequest, call: Call, context: AppContext) -> Message:
    """Queue an image over the one that an earlier image was drawn over, with the same mask and the same control."""
    given, before = call.arguments, earlier.start
    if before is None:
        raise InvalidRequest(
            "image", "The picture of that number was not drawn over another; attach one to begin with."
        )
    for name in ("mask", "outpaint", "control", "control-image", "also", "mask-of"):
        if dict(given.values).get(name) is not None:
            raise InvalidRequest(name, f"{name} is for another picture; attach that as the image.")
    strength, feather, padding = given.number("strength"), given.integer("feather"), given.integer("padding")
    start = replace(
        before,
        strength=before.strength if strength is None else strength,
        feather=before.feather if feather is None else feather,
        padding=before.padding if padding is None else padding,
    )
    request = replace(await one_request(call, context), width=earlier.width, height=earlier.height, start=start)
    return await submit(call, context, replace(request, controls=_same(earlier.controls, given)))


def _same(controls: tuple[ControlUse, ...], given: Arguments) -> tuple[ControlUse, ...]:
    """The controls of an earlier image, as strong as they were if the member says nothing of it."""
    if given.text("control") is not None or given.text("also") is not None:
        sentence = "The controls of an earlier picture are used again; leave out control and also, or base."
        raise InvalidRequest("control", sentence)
    scale, (first, *others) = given.number("control-scale"), controls
    return controls if scale is None else (replace(first, scale=scale), *others)


def _start(given: Arguments, image: AttachedImage, mask: str | None) -> StartImage:
    strength, feather, padding = given.number("strength"), given.integer("feather"), given.integer("padding")
    words = (given.text("mask-of") or "").strip() or None
    if mask is None and words is None and padding is not None:
        raise InvalidRequest("padding", "padding is for a mask; attach one, or a picture with a transparent part.")
    usual = StartImage(image=image.key)
    return StartImage(
        image=image.key,
        # What a mask marks is to be another thing; a whole image is to be recognised.
        strength=strength if strength is not None else usual.strength if mask is None and words is None else 1.0,
        mask=mask,
        mask_of=words,
        feather=usual.feather if feather is None else feather,
        padding=padding,
    )


def _controls(call: Call, image: AttachedImage) -> tuple[ControlUse, ...]:
    given = call.arguments
    kind, scale = given.text("control"), given.number("control-scale")
    if kind is None:
        return more_controls(call, image.key, None)
    first = ControlUse(kind=ControlKind(kind), image=image.key, scale=1.0 if scale is None else scale)
    return (first, *more_controls(call, image.key, first.kind))


COMMAND: Final = Command(
    name="edit",
    help="Draw over a picture, wholly or in a part",
    example="/edit a fox in the snow --image fox.png --strength 0.6",
    handler=edit,
    options=(
        Option(name="prompt", help="What the picture shows then", required=True, rest=True),
        Option(name="image", help="The picture to begin with", kind=OptionKind.FILE, required=True, unless="base"),
        Option(name="strength", help="How much changes", kind=OptionKind.NUMBER, low=0.05, high=1),
        Option(name="mask", help="White where it may change", kind=OptionKind.FILE),
        Option(name="mask-of", help="Change only this, such as sky"),
        Option(name="feather", help="Softness of the mask's edge", kind=OptionKind.INTEGER, low=0, high=MAX_FEATHER),
        Option(
            name="padding",
            help="Draw the mask alone with so much around it, in full size",
            kind=OptionKind.INTEGER,
            low=0,
            high=MAX_PADDING,
        ),
        Option(
            name="outpaint",
            help="Draw more on this side",
            kind=OptionKind.CHOICE,
            choices=tuple(direction.value for direction in Direction),
        ),
        Option(name="amount", help="How much more, in percent", kind=OptionKind.INTEGER, low=5, high=MAX_AMOUNT),
        Option(
            name="control",
            help="What else is kept",
            kind=OptionKind.CHOICE,
            choices=tuple(kind.value for kind in ControlKind),
        ),
        Option(name="control-image", help="Kept of this picture instead", kind=OptionKind.FILE),
        Option(name="control-scale", help="How much", kind=OptionKind.NUMBER, low=0, high=MAX_CONTROL_SCALE),
        ALSO,
        *SHARED_OPTIONS,
        BASE_OPTION,
    ),
    notes=(
        "Without a mask, the transparent part of the picture is one",
        "Everywhere outside the mask the picture stays as it is",
    ),
)
