"""/control: a new picture that keeps one property of another: its edges, its depth, how somebody stands."""

from dataclasses import replace
from functools import partial
from typing import Final

from handlers.arguments import Arguments
from handlers.aspect import size_like
from handlers.call import Call
from handlers.command import Command, Option, OptionKind
from handlers.edit import SHARED_OPTIONS
from handlers.handed_picture import HandedPicture, handed_picture
from handlers.imagine import one_request, submit
from handlers.message import Message
from handlers.permissions import check_permission
from handlers.studio import Studio
from pipeline.control_kind import ControlKind
from pipeline.control_use import MAX_CONTROL_SCALE, MAX_DETAIL, ControlMode, ControlUse
from pipeline.resize_mode import ResizeMode


async def control(call: Call, studio: Studio, *, kind: ControlKind) -> Message:
    """Queue a picture that keeps `kind` of the one that the member handed over."""
    check_permission(call, command_name(kind))
    picture = await handed_picture(call, "image", studio)
    assert picture is not None, "the option is required"
    request = await one_request(call, studio)
    width, height = size_like(*picture.size, studio.model(request.model).width)
    use = _use(kind, call.arguments, picture)
    return await submit(call, studio, replace(request, width=width, height=height, controls=(use,)))


def command_name(kind: ControlKind) -> str:
    """What members type for a kind."""
    return f"control {kind}"


def _use(kind: ControlKind, given: Arguments, picture: HandedPicture) -> ControlUse:
    usual = ControlUse(kind=kind, picture=picture.key)
    scale, detail, start, end = (given.number(name) for name in ("weight", "detail", "start", "end"))
    mode, resize = given.text("mode"), given.text("resize")
    return ControlUse(
        kind=kind,
        picture=picture.key,
        ready=given.switch("map") or False,
        detail=usual.detail if detail is None else detail,
        resize=ResizeMode(resize) if resize else usual.resize,
        scale=usual.scale if scale is None else scale,
        start=usual.start if start is None else start,
        end=usual.end if end is None else end,
        mode=ControlMode(mode) if mode else usual.mode,
    )


def _command(kind: ControlKind) -> Command:
    return Command(
        name=command_name(kind),
        help=f"Keep of a picture: {kind.keeps}",
        example=f"/control {kind} a castle of glass --image tower.png --weight 0.8",
        handler=partial(control, kind=kind),
        options=(
            Option(name="prompt", help="What the picture shows", required=True, rest=True),
            Option(name="image", help="The picture to keep it of", kind=OptionKind.FILE, required=True),
            Option(name="weight", help="How much it counts", kind=OptionKind.NUMBER, low=0, high=MAX_CONTROL_SCALE),
            Option(
                name="detail",
                help="More or fewer lines",
                kind=OptionKind.NUMBER,
                low=-MAX_DETAIL,
                high=MAX_DETAIL,
            ),
            Option(name="map", help="The picture is a map already", kind=OptionKind.SWITCH),
            Option(name="start", help="From this part of the steps on", kind=OptionKind.NUMBER, low=0, high=1),
            Option(name="end", help="Until this part of the steps", kind=OptionKind.NUMBER, low=0, high=1),
            Option(
                name="mode",
                help="Who wins where they disagree",
                kind=OptionKind.CHOICE,
                choices=tuple(mode.value for mode in ControlMode),
            ),
            Option(
                name="resize",
                help="Where proportions differ",
                kind=OptionKind.CHOICE,
                choices=tuple(mode.value for mode in ResizeMode),
            ),
            *SHARED_OPTIONS,
        ),
    )


COMMANDS: Final = tuple(_command(kind) for kind in ControlKind)
