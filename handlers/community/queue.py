"""/queue: what waits and renders, one's own and the guild's, and whose turn comes when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.messages.job_status import progress_words, seconds_words
from handlers.messages.message import Button, Message
from storage.queue.jobs import OPEN_STATES, Job, JobState
from storage.queue.outbox import Reply

_PAGE: Final = 10
_PROMPT_LENGTH: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions(Options):
    """The options of /queue."""

    after: Annotated[int | None, Details("Only jobs after this number", low=1)] = None
    mine: Annotated[int | None, Details("Only yours after this number", low=1, flag_only=True)] = None


async def queue(caller: Caller, options: QueueOptions, context: AppContext) -> Message:
    """The caller's open jobs, then the other members', each with its place; both a page at a time, oldest first."""
    own = await context.queue.member_jobs(caller.guild.id, caller.member.id, states=OPEN_STATES)
    lines: list[str] = []
    buttons: list[Button] = []
    if options.after is None:
        await _add_own([job for job in reversed(own) if job.id > (options.mine or 0)], caller, context, lines, buttons)
    if options.mine is None:
        await _add_others(options.after or 0, caller, context, lines, buttons)
    return Message(
        headline=_headline(options, has_own=bool(own)),
        lines=tuple(lines),
        buttons=(tuple(buttons),) if buttons else (),
        private=True,
    )


async def _add_own(
    jobs: Sequence[Job], caller: Caller, context: AppContext, lines: list[str], buttons: list[Button]
) -> None:
    for job in jobs[:_PAGE]:
        place = await _standing(caller, context, job)
        lines.append(f"{job.id}: {_shortened(context.jobs.title(job))}{place}")
    if len(jobs) > _PAGE:
        lines.append(f"{len(jobs) - _PAGE} more of yours")
        further = QueueOptions(mine=jobs[_PAGE - 1].id)
        buttons.append(await call_button(caller, context, COMMAND.name, further, "More of yours"))


async def _add_others(after: int, caller: Caller, context: AppContext, lines: list[str], buttons: list[Button]) -> None:
    guild = caller.guild
    found = await context.outbox.open_in_guild(guild.platform, guild.id, after, _PAGE + 1, besides=caller.member.id)
    if found:
        lines.append("Of others:")
    for reply in found[:_PAGE]:
        place = await _standing(caller, context, reply.job)
        lines.append(f"{reply.job.id}: {_others_job(reply, caller, context)}{place}")
    if len(found) > _PAGE:
        further = QueueOptions(after=found[_PAGE - 1].job.id)
        buttons.append(await call_button(caller, context, COMMAND.name, further, "More"))


def _headline(options: QueueOptions, *, has_own: bool) -> str:
    if options.after is not None or options.mine is not None:
        return f"On the way after {options.after or options.mine}:"
    return "Your pictures on the way:" if has_own else "Nothing of yours is waiting."


def _others_job(reply: Reply, caller: Caller, context: AppContext) -> str:
    """Another member's job: its words only where the caller could have read them, in the open and in this channel."""
    asked = reply.address
    here = (asked.channel_id, asked.thread_id) == (caller.reply.channel_id, caller.reply.thread_id)
    if asked.private or not here:
        return "private" if asked.private else "asked elsewhere"
    return f"{reply.job.member_name}: {_shortened(context.jobs.title(reply.job))}"


def _shortened(prompt: str) -> str:
    return prompt if len(prompt) <= _PROMPT_LENGTH else prompt[: _PROMPT_LENGTH - 1] + "…"


async def _standing(caller: Caller, context: AppContext, job: Job) -> str:
    if job.state is JobState.RUNNING:
        return f" · {progress_words(job)}" if job.steps else " · starting"
    place = await context.queue.place(caller.guild.id, job.id)
    return "" if place is None else f" · {place.before} before it, {seconds_words(place.seconds)}"


COMMAND: Final = Command(
    name="queue",
    help="What waits and renders",
    example="/queue",
    takes=QueueOptions,
    handler=queue,
    private=True,
)
