"""What a click on a button does: permission is checked again on each click, and two clicks at once do one thing."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.forms import Form, edit_form, saved_call
from handlers.commands.permissions import NotAllowed, check_permission, may_manage
from handlers.community.cancel import cancel_job
from handlers.images.control_preview import make_with_map, make_with_own_map, soften_map, strengthen_map
from handlers.images.hires_fix import upscaled
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.info import job_info
from handlers.images.options import editable_options
from handlers.images.reuse_control import same_control_form
from handlers.images.submission import submit
from handlers.jobs.payloads import REQUEST
from handlers.jobs.result_images import shown_images
from handlers.messages.message import Button, Message, Mood, Verb
from handlers.training.checkpoints import use_pick
from handlers.training.preview import class_form, leave_out, start_training
from pipeline.errors import InvalidRequest, UserError
from pipeline.requests.image_request import MAX_VARIATIONS, Variation
from storage.queue.jobs import OPEN_STATES, Job, JobKind

SUBTLE: Final = 0.15
STRONG: Final = 0.45
"""How far the two kinds of variation go from an image's own noise."""

MAP_VERBS: Final = frozenset({Verb.USE_MAP, Verb.SOFTER, Verb.STRONGER, Verb.OWN_MAP})
"""What can be done with a map that was drawn, by the one who asked for it alone."""

_SHEET_VERBS: Final = frozenset({Verb.TRAIN, Verb.LEAVE_OUT})

_ID: Final = re.compile(r"v1:([a-z-]{1,20}):(\d{1,19}):(\d{1,3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button as it comes back from a platform."""

    verb: Verb
    target: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDirect:
    """`message` goes to the one who clicked, in a direct message; `sent` says in the channel that it did."""

    message: Message
    sent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """The clicked message is to be taken away; what it showed is deleted here.

    `posted` is the id that the platform gave to the message when it was delivered.
    """

    job_id: int
    posted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHeard:
    """The same click was heard a moment ago; there is nothing to say."""


Pressed = Message | Form | SendDirect | Remove | AlreadyHeard


class ClickResponse(Enum):
    """How a platform should take a click, known from the verb alone: some must answer before they may ask."""

    NEW_MESSAGE = "new message"
    PRIVATE_MESSAGE = "private message"
    IN_PLACE = "in place"
    FORM = "form"


def button_id(button: Button) -> str:
    """The id that a platform keeps, for ever: at most 100 characters."""
    return f"v1:{button.verb.value}:{button.target}:{button.index}"


def read_button_id(text: str) -> Press | None:
    """The button of that id, or None for an id that is not one of ours."""
    match = _ID.fullmatch(text)
    if match is None or match[1] not in set(Verb):
        return None
    return Press(verb=Verb(match[1]), target=int(match[2]), index=int(match[3]))


def manner(verb: Verb) -> ClickResponse:
    """How a click on `verb` is taken."""
    match verb:
        case Verb.AGAIN | Verb.VARY_SUBTLE | Verb.VARY_STRONG | Verb.UPSCALE | Verb.TRAIN:
            return ClickResponse.NEW_MESSAGE
        case Verb.INFO | Verb.SAVE | Verb.CALL | Verb.PICK:
            return ClickResponse.PRIVATE_MESSAGE
        case Verb.CANCEL | Verb.DELETE | Verb.USE_MAP | Verb.SOFTER | Verb.STRONGER | Verb.OWN_MAP | Verb.LEAVE_OUT:
            return ClickResponse.IN_PLACE
        case Verb.EDIT | Verb.SAME_CONTROL | Verb.CLASS_WORD:
            return ClickResponse.FORM
        case _:
            assert_never(verb)


async def press(pressed: Press, caller: Caller, context: AppContext) -> Pressed:
    """What the click does; raises UserError."""
    key = f"{caller.guild.id}:{caller.member.id}:{_action_key(pressed)}"
    if not await context.clicks.is_first(key):
        return AlreadyHeard()
    if pressed.verb is Verb.CALL:
        return await _call(pressed.target, caller, context)
    job = await _visible_job(pressed.target, caller, context)
    if not _fits(pressed.verb, job.kind):
        raise UserError("This message is about no picture that can be made again; write /imagine for a new one.")
    return await _ACTIONS[pressed.verb](job, pressed.index, caller, context)


def _action_key(pressed: Press) -> str:
    """What two clicks share that are to do one thing."""
    # The message of a map or a sheet becomes that of what comes of it, so all that can be done with it is one thing.
    if pressed.verb in MAP_VERBS:
        return f"map:{pressed.target}"
    if pressed.verb in _SHEET_VERBS:
        return f"sheet:{pressed.target}"
    return f"{pressed.verb.value}:{pressed.target}:{pressed.index}"


def _fits(verb: Verb, kind: JobKind) -> bool:
    """Whether messages about such jobs have the button."""
    if verb in (Verb.CANCEL, Verb.DELETE):
        return True
    match kind:
        case JobKind.IMAGINE:
            return verb not in MAP_VERBS | _SHEET_VERBS | {Verb.CLASS_WORD, Verb.PICK}
        case JobKind.DRAW_MAP:
            return verb in MAP_VERBS
        case JobKind.CHECK_IMAGES:
            return verb in _SHEET_VERBS | {Verb.CLASS_WORD}
        case JobKind.TRAIN:
            return verb is Verb.PICK
        case JobKind.ADD_LORA | JobKind.MIX_LORAS | JobKind.ENLARGE:
            return False
        case _:
            assert_never(kind)


async def _call(call_id: int, caller: Caller, context: AppContext) -> Message:
    """Make the saved call; a job that comes of it gets a message of its own: the offer was for one pair of eyes."""
    saved = await saved_call(call_id, caller, context)
    elsewhere = replace(caller, reply=replace(caller.reply, message_id=None, private=False))
    message = await answer(context.command(saved.command), dict(saved.values), elsewhere, context)
    return message if message.job_id is None else Message(headline="It is on its way.", private=True)


async def _visible_job(job_id: int, caller: Caller, context: AppContext) -> Job:
    job = await context.queue.get(caller.guild.id, job_id)
    if job is None:
        raise UserError("This picture is no longer kept here; make a new one with /imagine.")
    return job


async def _cancel(job: Job, index: int, caller: Caller, context: AppContext) -> Message | Remove:
    if job.kind is JobKind.DRAW_MAP and job.state not in OPEN_STATES:
        return await _delete(job, index, caller, context)
    return await cancel_job(caller, context, job.id)


async def _again(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    check_permission(caller, IMAGINE.name)
    request = REQUEST.read(job.payload)
    again = replace(request, seed=context.new_seed(), variations=())
    return await submit(caller, context, again, context.model(request.model))


async def _vary_subtly(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    return await _vary(job, index, SUBTLE, caller, context)


async def _vary_strongly(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    return await _vary(job, index, STRONG, caller, context)


async def _edit(job: Job, _index: int, caller: Caller, context: AppContext) -> Form:
    request = REQUEST.read(job.payload)
    options = editable_options(request, context.model(request.model))
    if request.image_keys and job.member_id == caller.member.id:
        options = replace(options, base=job.id)
    return await edit_form(IMAGINE, options.given(), caller, context)


async def _info(job: Job, _index: int, _caller: Caller, context: AppContext) -> Message:
    return job_info(job, context)


async def _vary(job: Job, index: int, strength: float, caller: Caller, context: AppContext) -> Message:
    check_permission(caller, IMAGINE.name)
    request = REQUEST.read(job.payload)
    if index >= request.count:
        raise InvalidRequest("index", "There is no such picture in this message; use one of its own buttons.")
    if len(request.variations) >= MAX_VARIATIONS:
        raise InvalidRequest("variations", f"This picture was varied {MAX_VARIATIONS} times; vary an earlier one.")
    image = request.images()[index]
    further = Variation(seed=context.new_seed(), strength=strength)
    varied = replace(image, variations=(*image.variations, further), count=request.count)
    return await submit(caller, context, varied, context.model(request.model))


async def _upscale(job: Job, index: int, caller: Caller, context: AppContext) -> Message:
    check_permission(caller, IMAGINE.name)
    images = await context.queue.images(caller.guild.id, job.id)
    image = next((image for image in images if image.index == index), None)
    if image is None:
        raise InvalidRequest("index", "There is no such picture in this message; use one of its own buttons.")
    request = REQUEST.read(job.payload).images()[index]
    facts = context.model(request.model)
    return await submit(caller, context, upscaled(request, image, facts), facts)


async def _save(job: Job, _index: int, caller: Caller, context: AppContext) -> SendDirect:
    shown = await shown_images(job, caller.reply, context)
    if not shown.images:
        raise UserError(shown.withheld or "This job has no picture to send yet; wait until it is done.")
    lines = (shown.withheld,) if shown.withheld else ()
    headline = REQUEST.read(job.payload).prompt
    message = Message(headline=headline, mood=Mood.DONE, lines=lines, images=shown.images, job_id=job.id)
    return SendDirect(message=message, sent="Sent to you in a direct message.")


async def _delete(job: Job, _index: int, caller: Caller, context: AppContext) -> Remove:
    if not may_manage(caller.member, job):
        raise NotAllowed(f"This is {job.member_name}'s; only they or who manages messages here can delete it.")
    if job.state in OPEN_STATES:
        raise UserError("This is still being made; cancel it first.")
    posted = await context.outbox.posted_as(job.id)
    await context.members.delete_job(caller.guild.id, job.id)
    return Remove(job_id=job.id, posted=posted or "")


_ACTIONS: Final[dict[Verb, Callable[[Job, int, Caller, AppContext], Awaitable[Pressed]]]] = {
    Verb.CANCEL: _cancel,
    Verb.AGAIN: _again,
    Verb.VARY_SUBTLE: _vary_subtly,
    Verb.VARY_STRONG: _vary_strongly,
    Verb.UPSCALE: _upscale,
    Verb.EDIT: _edit,
    Verb.INFO: _info,
    Verb.SAVE: _save,
    Verb.DELETE: _delete,
    Verb.USE_MAP: make_with_map,
    Verb.SOFTER: soften_map,
    Verb.STRONGER: strengthen_map,
    Verb.OWN_MAP: make_with_own_map,
    Verb.SAME_CONTROL: same_control_form,
    Verb.TRAIN: start_training,
    Verb.LEAVE_OUT: leave_out,
    Verb.CLASS_WORD: class_form,
    Verb.PICK: use_pick,
}
"""What each verb does to image `index` of a job; Verb.CALL has no job."""
