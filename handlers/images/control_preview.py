"""The map of a control, shown before an image is made with it, and what its buttons do."""

from dataclasses import replace
from typing import Final

from handlers.commands.actions import Pressed
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.images.submission import check_allowed, submit
from handlers.jobs.ending import cancel, delete
from handlers.jobs.job_spec import Cost, JobSpec, without_context
from handlers.jobs.payloads import REQUEST
from handlers.messages.job_status import waited_long
from handlers.messages.message import Button, Message, Mood, ShownImage, Verb
from pipeline.errors import UserError
from pipeline.images.image_process import JudgeLight
from pipeline.images.png_text import read_texts
from pipeline.models.metadata import ModelFacts
from pipeline.requests.control import EMPTY_MAP, MAX_DETAIL, ControlUse
from pipeline.requests.image_request import ImageRequest
from storage.queue.jobs import OPEN_STATES, Job, JobKind, JobState

_STEP: Final = 1.0
_SECONDS_PER_MEGAPIXEL: Final = 0.5
_EMPTY: Final = "This map is empty: nothing of that kind was found in your picture, so nothing would be kept."


async def show_map(caller: Caller, context: AppContext, request: ImageRequest, facts: ModelFacts) -> Message:
    """Queue the map of `request`'s first control; a button under it makes the images."""
    check_allowed(request, facts, caller)
    return await context.jobs.enqueue(JobKind.DRAW_MAP, request, caller, context)


async def _cost(request: ImageRequest, _context: AppContext) -> Cost:
    megapixels = request.width * request.height / 1e6
    key = f"{JobKind.DRAW_MAP} {_use(request).kind}"
    return Cost(key=key, units=megapixels, seconds_per_unit=_SECONDS_PER_MEGAPIXEL)


def map_drawn(job: Job, images: tuple[ShownImage, ...]) -> Message:
    """The map, and what can be done with it."""
    request = REQUEST.read(job.payload)
    return Message(
        headline=request.prompt,
        mood=Mood.DONE,
        lines=(*_warning(images), f"This will be kept: {_use(request).kind.keeps}. Looks right?"),
        images=images,
        buttons=(_buttons(job, _use(request)),),
        mentions=waited_long(job),
        job_id=job.id,
    )


def _warning(images: tuple[ShownImage, ...]) -> tuple[str, ...]:
    """A line for a map that has nothing in it."""
    return (_EMPTY,) if any(EMPTY_MAP in read_texts(image.data) for image in images) else ()


async def make_with_map(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """Make the images with the map as it was drawn."""
    request = _owned(job, caller)
    drawn = await context.queue.images(caller.guild.id, job.id)
    if not drawn:
        raise UserError("This map is not drawn; write the command again.")
    use = replace(_use(request), image=drawn[0].blob, ready=True)
    return await submit(caller, context, _with_first(request, use), context.model(request.model))


async def soften_map(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """Draw the map again with less in it."""
    return await _redrawn(job, -_STEP, caller, context)


async def strengthen_map(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """Draw the map again with more in it."""
    return await _redrawn(job, _STEP, caller, context)


async def make_with_own_map(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """Make the images with the image itself as the map."""
    request = _owned(job, caller)
    use = await as_ready_map(_use(request), caller, context)
    return await submit(caller, context, _with_first(request, use), context.model(request.model))


async def as_ready_map(use: ControlUse, caller: Caller, context: AppContext) -> ControlUse:
    """`use` with its image for its map; a drawing in black on white is turned where a net reads white on black."""
    if not use.kind.is_lines:
        return replace(use, ready=True)
    question = JudgeLight(source=await context.blobs.file(use.image), field="map")
    return replace(use, ready=True, inverted=await context.images.is_light(question, caller.share))


def _owned(job: Job, caller: Caller) -> ImageRequest:
    """What the map is for; raises NotAllowed unless the caller asked for it."""
    request = REQUEST.read(job.payload)
    if job.member_id != caller.member.id:
        raise NotAllowed(f"This map is {job.member_name}'s; write /control for one of your own.")
    return request


async def _redrawn(job: Job, step: float, caller: Caller, context: AppContext) -> Message:
    request = _owned(job, caller)
    use = _use(request)
    detail = max(-MAX_DETAIL, min(MAX_DETAIL, use.detail + step))
    request = _with_first(request, replace(use, detail=detail))
    return await show_map(caller, context, request, context.model(request.model))


def _use(request: ImageRequest) -> ControlUse:
    """The control whose map is shown; more of the same image may be kept unseen."""
    return request.controls[0]


def _with_first(request: ImageRequest, use: ControlUse) -> ImageRequest:
    return replace(request, controls=(use, *request.controls[1:]))


_LABELS: Final = {
    Verb.USE_MAP: "Looks right",
    Verb.SOFTER: "Softer",
    Verb.STRONGER: "Stronger",
    Verb.OWN_MAP: "Use my picture as the map",
    Verb.CANCEL: "Cancel",
}


def _buttons(job: Job, use: ControlUse) -> tuple[Button, ...]:
    """All that do something: a map that is as soft or as strong as it can be gets no more so."""
    pointless = set()
    if not use.kind.has_detail or use.detail <= -MAX_DETAIL:
        pointless.add(Verb.SOFTER)
    if not use.kind.has_detail or use.detail >= MAX_DETAIL:
        pointless.add(Verb.STRONGER)
    return tuple(_button(job, verb) for verb in _LABELS if verb not in pointless)


def _button(job: Job, verb: Verb) -> Button:
    return Button(verb=verb, target=job.id, label=_LABELS[verb])


def _without_map(job: Job) -> tuple[tuple[Button, ...], ...]:
    return ((_button(job, Verb.OWN_MAP),),) if job.state is JobState.FAILED else ()


async def _cancel(job: Job, index: int, caller: Caller, context: AppContext) -> Pressed:
    """The button stays under a map that was drawn, which then goes."""
    return await (cancel if job.state in OPEN_STATES else delete)(job, index, caller, context)


JOB: Final = JobSpec(
    kind=JobKind.DRAW_MAP,
    payload=REQUEST,
    title=lambda request: request.prompt,
    cost=_cost,
    blobs=lambda request: request.image_keys,
    loras=lambda request: request.lora_keys,
    waits=False,
    done=without_context(map_drawn),
    failed="The map could not be drawn; try again.",
    buttons=_without_map,
    actions={
        Verb.USE_MAP: make_with_map,
        Verb.SOFTER: soften_map,
        Verb.STRONGER: strengthen_map,
        Verb.OWN_MAP: make_with_own_map,
        Verb.CANCEL: _cancel,
    },
    images=lambda request: request.images()[:1],  # one map, however many images it is for
)
