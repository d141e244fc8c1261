"""/control: a new image that keeps one property of another: its edges, its depth, how somebody stands."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.commands.permissions import check_permission
from handlers.images.control_preview import as_ready_map, show_map
from handlers.images.earlier_request import ControlBase, controlled_request, drawn_as
from handlers.images.extra_controls import Also, more_controls
from handlers.images.input_image import attached_image
from handlers.images.new_request import one_request
from handlers.images.options import Count, DrawingOptions, Negative, Private
from handlers.images.submission import submit
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest
from pipeline.images.input_image import Ground
from pipeline.requests.aspect_ratio import size_like
from pipeline.requests.control import MAX_CONTROL_SCALE, MAX_DETAIL, ControlKind, ControlMode, ControlUse, ResizeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingOptions(Options):
    """What else is kept and how, and how the image is drawn."""

    also: Also = None
    map: Annotated[bool | None, Details("It is a map already")] = None
    preview: Annotated[bool | None, Details("Off: no map first", flag_only=True)] = None
    start: Annotated[float | None, Details("From this part on", low=0, high=1)] = None
    end: Annotated[float | None, Details("Until this part", low=0, high=1)] = None
    mode: Annotated[ControlMode | None, Details("Who wins")] = None
    resize: Annotated[ResizeMode | None, Details("If proportions differ")] = None
    negative: Negative = None
    count: Count = None
    drawing: DrawingOptions


_Prompt = Annotated[str, Details("What the picture shows", rest=True)]
_Image = Annotated[AttachedFile | None, Details("The picture to keep it of", unless="base")]
_Weight = Annotated[float | None, Details("How much it counts", low=0, high=MAX_CONTROL_SCALE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions(Options):
    """The options of a /control whose maps have no more and no less in them."""

    prompt: _Prompt
    image: _Image = None
    weight: _Weight = None
    keeping: KeepingOptions
    private: Private = None
    base: ControlBase = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailedOptions(Options):
    """The options of a /control whose maps may have more or less in them."""

    prompt: _Prompt
    image: _Image = None
    weight: _Weight = None
    detail: Annotated[float | None, Details("More or less of it", low=-MAX_DETAIL, high=MAX_DETAIL)] = None
    keeping: KeepingOptions
    private: Private = None
    base: ControlBase = None


_AnyOptions = ControlOptions | DetailedOptions


async def control(caller: Caller, options: _AnyOptions, context: AppContext, *, kind: ControlKind) -> Message:
    """Queue an image that keeps `kind` of the one that the member handed over, or first the map that shows what."""
    check_permission(caller, command_name(kind))
    keeping = options.keeping
    if options.base is not None:
        return await _with_map_of(options.base, kind, caller, options, context)
    assert options.image is not None, "the image is required without a base"
    image = await attached_image(options.image, "image", caller, context, ground=Ground.CONTRAST)
    request, facts = await one_request(
        keeping.drawing, caller, context, prompt=options.prompt, negative=keeping.negative, count=keeping.count
    )
    width, height = size_like(*image.size, facts.width, caller.guild.settings.max_pixels)
    use = _with(options, ControlUse(kind=kind, image=image.key))
    if keeping.map:
        use = await as_ready_map(use, caller, context)
    controls = (use, *more_controls(keeping.also, image.key, kind))
    request = replace(request, width=width, height=height, controls=controls)
    shown = not use.ready and keeping.preview is not False
    return await (show_map if shown else submit)(caller, context, request, facts)


async def _with_map_of(
    base: int, kind: ControlKind, caller: Caller, options: _AnyOptions, context: AppContext
) -> Message:
    """Queue an image with the map of an earlier one, in its size."""
    keeping = options.keeping
    if options.image is not None:
        raise InvalidRequest("base", f"The map of picture {base} is used again; leave base out, or the image.")
    earlier = await controlled_request(caller, context, base)
    use = earlier.controls[0]
    if use.kind is not kind:
        raise InvalidRequest(
            "base", f"Picture {base} keeps {use.kind}; write /{command_name(use.kind)} to keep it again."
        )
    if keeping.also is not None:
        sentence = "What else is kept stays as it was; for more, attach the picture and leave out base."
        raise InvalidRequest("also", sentence)
    request, facts = await one_request(
        keeping.drawing, caller, context, prompt=options.prompt, negative=keeping.negative, count=keeping.count
    )
    controls = (_with(options, use), *earlier.controls[1:])
    request = replace(drawn_as(request, earlier), width=earlier.width, height=earlier.height, controls=controls)
    return await submit(caller, context, request, facts)


def command_name(kind: ControlKind) -> str:
    """What members type for a kind."""
    return f"control {kind}"


def _with(options: _AnyOptions, usual: ControlUse) -> ControlUse:
    """The control with what the member says of it."""
    keeping, detail = options.keeping, options.detail if isinstance(options, DetailedOptions) else None
    return replace(
        usual,
        detail=usual.detail if detail is None else detail,
        resize=keeping.resize or usual.resize,
        scale=usual.scale if options.weight is None else options.weight,
        start=usual.start if keeping.start is None else keeping.start,
        end=usual.end if keeping.end is None else keeping.end,
        mode=keeping.mode or usual.mode,
    )


def _command(kind: ControlKind) -> Command[_AnyOptions]:
    async def keep(caller: Caller, options: _AnyOptions, context: AppContext) -> Message:
        return await control(caller, options, context, kind=kind)

    return Command(
        name=command_name(kind),
        help=f"Keep of a picture: {kind.keeps}",
        example=f"/control {kind} a castle of glass --image tower.png --weight 0.8",
        takes=DetailedOptions if kind.has_detail else ControlOptions,
        handler=keep,
    )


COMMANDS: Final = tuple(_command(kind) for kind in ControlKind)
