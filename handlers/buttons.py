"""What a click on a button does: permission is checked again on each click, and two clicks at once do one thing."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

from handlers.commands.actions import Action, AlreadyHeard, Pressed
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.forms import saved_call
from handlers.jobs.ending import begun_removal, cancel, delete
from handlers.jobs.result_images import save
from handlers.jobs.visible_job import visible_job
from handlers.messages.message import Button, Message, Verb
from pipeline.errors import UserError
from storage.guilds.guilds import Guild
from storage.platform import Platform

MAP_VERBS: Final = frozenset({Verb.USE_MAP, Verb.SOFTER, Verb.STRONGER, Verb.OWN_MAP})
"""What can be done with a map that was drawn, by the one who asked for it alone."""

_SHEET_VERBS: Final = frozenset({Verb.TRAIN, Verb.LEAVE_OUT})

_ID: Final = re.compile(r"v1:([a-z-]{1,20}):(\d{1,19}):(\d{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button as it comes back from a platform."""

    verb: Verb
    target: int
    index: int


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


async def home_guild(pressed: Press, platform: Platform, member_id: str, context: AppContext) -> Guild | None:
    """The guild in which the member asked for what the button is about, None for what is not theirs.

    Where a result came in a direct message the click alone does not say which guild it is of.
    """
    stored = context.calls if pressed.verb is Verb.CALL else context.queue
    guild_id = await stored.guild_of(pressed.target, member_id)
    guild = None if guild_id is None else await context.guilds.get(guild_id)
    return guild if guild is not None and guild.platform is platform else None


async def press(pressed: Press, caller: Caller, context: AppContext) -> Pressed:
    """What the click does; raises UserError."""
    if not await _is_first(pressed, caller, context):
        return AlreadyHeard()
    if pressed.verb is Verb.CALL:
        return await _call(pressed.target, caller, context)
    job = await visible_job(pressed.target, caller, context)
    if job is None:
        if pressed.verb is Verb.DELETE and (begun := await begun_removal(pressed.target, context)) is not None:
            return begun
        raise UserError("This picture is no longer kept here; make a new one with /imagine.")
    action = context.jobs.action(job, pressed.verb) or _OF_EVERY_JOB.get(pressed.verb)
    if action is None:
        raise UserError("This message is about no picture that can be made again; write /imagine for a new one.")
    return await action(job, pressed.index, caller, context)


async def _is_first(pressed: Press, caller: Caller, context: AppContext) -> bool:
    """Whether nothing else does now what the click does."""
    # A form does nothing yet; of several processes that hear of one click the first is to open it, not to hush it.
    if manner(pressed.verb) is ClickResponse.FORM:
        return True
    key = f"{caller.guild.id}:{caller.member.id}:{_action_key(pressed)}"
    return await context.clicks.is_first(key, context.inbox.handled_id)


def _action_key(pressed: Press) -> str:
    """What two clicks share that are to do one thing."""
    # The message of a map or a sheet becomes that of what comes of it, so all that can be done with it is one thing.
    if pressed.verb in MAP_VERBS:
        return f"map:{pressed.target}"
    if pressed.verb in _SHEET_VERBS:
        return f"sheet:{pressed.target}"
    return f"{pressed.verb.value}:{pressed.target}:{pressed.index}"


async def _call(call_id: int, caller: Caller, context: AppContext) -> Message:
    """Make the saved call; a job that comes of it gets a message of its own: the offer was for one pair of eyes."""
    saved = await saved_call(call_id, caller, context)
    elsewhere = replace(caller, reply=replace(caller.reply, message_id=None, private=False))
    message = await answer(context.command(saved.command), dict(saved.values), elsewhere, context)
    return message if message.job_id is None else Message(headline="It is on its way.", private=True)


_OF_EVERY_JOB: Final[dict[Verb, Action]] = {Verb.CANCEL: cancel, Verb.DELETE: delete, Verb.SAVE: save}
"""What can be done with a job of any kind that has no way of its own to do it."""
