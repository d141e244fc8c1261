"""What a member may want to type next: the suggestions of an option, looked up as they type."""

import asyncio
import re
from dataclasses import dataclass
from typing import assert_never

from handlers.commands.call import Member
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.groups import heads
from handlers.commands.option import Completion
from handlers.commands.typed import is_typed
from pipeline.families.registry import FAMILIES
from storage.guilds.guilds import Guild
from storage.queue.jobs import OPEN_STATES

_MAX_SUGGESTIONS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One suggestion: the value that is filled in, and a line that explains it."""

    value: str
    help: str


async def complete(
    source: Completion, typed: str, *, guild: Guild, member: Member, context: AppContext
) -> tuple[Suggestion, ...]:
    """At most 25 suggestions of `source` that contain `typed`; only ever things of `guild`."""
    if not is_typed(typed):
        return ()
    match source:
        case Completion.COMMANDS:
            found = [Suggestion(value=command.name, help=command.help) for command in _commands(context)]
        case Completion.OPEN_JOBS:
            jobs = await context.queue.member_jobs(guild.id, member.id, states=OPEN_STATES)
            found = [Suggestion(value=str(job.id), help=context.jobs.title(job)) for job in jobs]
        case Completion.MODELS:
            found = [Suggestion(value=facts.name, help=f"{facts.width}×{facts.height}") for facts in context.models]
        case Completion.UPSCALERS:
            names = await asyncio.to_thread(context.upscalers.names)
            found = [Suggestion(value=name, help="") for name in names]
        case Completion.VAES:
            found = await asyncio.to_thread(_vaes, context)
        case Completion.LORAS:
            return await _loras(typed, guild, member, context)
        case Completion.SUBJECTS:
            known = await context.loras.search(guild.id, member.id, typed, limit=_MAX_SUGGESTIONS, subjects=True)
            return tuple(Suggestion(value=lora.name, help=lora.trigger_words) for lora in known)
        case _:
            assert_never(source)
    wanted = typed.strip().casefold()
    matching = [item for item in found if wanted in item.value.casefold() or wanted in item.help.casefold()]
    return tuple(matching[:_MAX_SUGGESTIONS])


def _vaes(context: AppContext) -> list[Suggestion]:
    """For each base of the models here."""
    bases = dict.fromkeys(facts.family for facts in context.models)
    return [Suggestion(value=name, help=FAMILIES[base].name) for base in bases for name in context.vaes.names(base)]


def _commands(context: AppContext) -> tuple[Command, ...]:
    """Every command by its full name, and every group."""
    return (*context.commands, *(head for head in heads(context.commands) if head.actions))


async def _loras(typed: str, guild: Guild, member: Member, context: AppContext) -> tuple[Suggestion, ...]:
    """For the last of the names typed so far; those in front of it stay."""
    *before, last = re.split(r"[\s,]+", typed)
    found = await context.loras.search(guild.id, member.id, last.partition(":")[0], limit=_MAX_SUGGESTIONS)
    return tuple(
        Suggestion(value=" ".join((*filter(None, before), f"{lora.name}:{lora.scale:g}")), help=lora.trigger_words)
        for lora in found
    )
