"""/control: a new image that keeps one property of another: its edges, its depth, how somebody stands."""

from dataclasses import replace
from functools import partial
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.commands.permissions import check_permission
from handlers.images.control_preview import as_ready_map, show_map
from handlers.images.earlier_request import controlled_request
from handlers.images.edit import BASE_OPTION, SHARED_OPTIONS
from handlers.images.extra_controls import ALSO, more_controls
from handlers.images.imagine import one_request, submit
from handlers.images.input_image import attached_image
from handlers.messages.message import Message
from handlers.prompts.aspect_ratio import size_like
from pipeline.errors import InvalidRequest
from pipeline.requests.control import MAX_CONTROL_SCALE, MAX_DETAIL, ControlKind, ControlMode, ControlUse, ResizeMode


async def control(call: Call, context: AppContext, *, kind: ControlKind) -> Message:
    """Queue an image that keeps `kind` of the one that the member handed over, or first the map that shows what."""
    check_permission(call, command_name(kind))
    given = call.arguments
    if (base := given.integer("base")) is not None:
        return await _with_map_of(base, kind, call, context)
    image = await attached_image(call, "image", context)
    assert image is not None, "the option is required"
    request = await one_request(call, context)
    width, height = size_like(*image.size, context.model(request.model).width)
    use = _with(given, ControlUse(kind=kind, image=image.key))
    if given.switch("map"):
        use = await as_ready_map(use, context)
    request = replace(request, width=width, height=height, controls=(use, *more_controls(call, image.key, kind)))
    shown = not use.ready and given.switch("preview") is not False
    return await (show_map if shown else submit)(call, context, request)


async def _with_map_of(base: int, kind: ControlKind, call: Call, context: AppContext) -> Message:
    """Queue an image with the map of an earlier one, in its size."""
    if call.arguments.file("image") is not None:
        raise InvalidRequest("base", f"The map of picture {base} is used again; leave base out, or the image.")
    earlier = await controlled_request(call, context, base)
    use = earlier.controls[0]
    if use.kind is not kind:
        raise InvalidRequest(
            "base", f"Picture {base} keeps {use.kind}; write /{command_name(use.kind)} to keep it again."
        )
    if call.arguments.text("also") is not None:
        sentence = "What else is kept stays as it was; for more, attach the picture and leave out base."
        raise InvalidRequest("also", sentence)
    request = await one_request(call, context)
    controls = (_with(call.arguments, use), *earlier.controls[1:])
    return await submit(call, context, replace(request, width=earlier.width, height=earlier.height, controls=controls))


def command_name(kind: ControlKind) -> str:
    """What members type for a kind."""
    return f"control {kind}"


def _with(given: Arguments, usual: ControlUse) -> ControlUse:
    """The control with what the member says of it."""
    scale, detail, start, end = (given.number(name) for name in ("weight", "detail", "start", "end"))
    mode, resize = given.text("mode"), given.text("resize")
    return replace(
        usual,
        detail=usual.detail if detail is None else detail,
        resize=ResizeMode(resize) if resize else usual.resize,
        scale=usual.scale if scale is None else scale,
        start=usual.start if start is None else start,
        end=usual.end if end is None else end,
        mode=ControlMode(mode) if mode else usual.mode,
    )


_DETAIL: Final = Option(
    name="detail", help="More or less of it", kind=OptionKind.NUMBER, low=-MAX_DETAIL, high=MAX_DETAIL
)


def _command(kind: ControlKind) -> Command:
    return Command(
        name=command_name(kind),
        help=f"Keep of a picture: {kind.keeps}",
        example=f"/control {kind} a castle of glass --image tower.png --weight 0.8",
        handler=partial(control, kind=kind),
        options=(
            Option(name="prompt", help="What the picture shows", required=True, rest=True),
            Option(name="image", help="The picture to keep it of", kind=OptionKind.FILE, required=True, unless="base"),
            Option(name="weight", help="How much it counts", kind=OptionKind.NUMBER, low=0, high=MAX_CONTROL_SCALE),
            *((_DETAIL,) if kind.has_detail else ()),
            ALSO,
            Option(name="map", help="It is a map already", kind=OptionKind.SWITCH),
            Option(name="preview", help="Off: no map first", kind=OptionKind.SWITCH, flag_only=True),
            Option(name="start", help="From this part on", kind=OptionKind.NUMBER, low=0, high=1),
            Option(name="end", help="Until this part", kind=OptionKind.NUMBER, low=0, high=1),
            Option(
                name="mode",
                help="Who wins",
                kind=OptionKind.CHOICE,
                choices=tuple(mode.value for mode in ControlMode),
            ),
            Option(
                name="resize",
                help="If proportions differ",
                kind=OptionKind.CHOICE,
                choices=tuple(mode.value for mode in ResizeMode),
            ),
            *SHARED_OPTIONS,
            BASE_OPTION,
        ),
    )


COMMANDS: Final = tuple(_command(kind) for kind in ControlKind)
