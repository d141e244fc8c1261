"""/queue: what waits and renders, one's own and the guild's, and whose turn comes when."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.messages.job_status import progress_words, seconds_words
from handlers.messages.message import Button, Message, Verb
from storage.queue.jobs import OPEN_STATES, Job, JobState
from storage.queue.outbox import Reply

_PAGE: Final = 10
_PROMPT_LENGTH: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions(Options):
    """The options of /queue."""

    after: Annotated[int | None, Details("Only jobs after this number", low=1)] = None


async def queue(caller: Caller, options: QueueOptions, context: AppContext) -> Message:
    """The caller's open jobs, then the other members' a page at a time, each with its place."""
    after = options.after
    mine: tuple[Job, ...] = ()
    if after is None:
        mine = await context.queue.member_jobs(caller.guild.id, caller.member.id, states=OPEN_STATES, limit=_PAGE)
    found = await context.outbox.open_in_guild(caller.guild.platform, caller.guild.id, after or 0, _PAGE + 1)
    page = found[:_PAGE]
    others = [reply for reply in page if reply.job.member_id != caller.member.id]
    lines = [f"{job.id}: {_shortened(context.jobs.title(job))}{await _standing(caller, context, job)}" for job in mine]
    if others:
        lines.append("Of others:")
    lines += [
        f"{reply.job.id}: {_others_job(reply, caller, context)}{await _standing(caller, context, reply.job)}"
        for reply in others
    ]
    return Message(
        headline=_headline(after, bool(mine)),
        lines=tuple(lines),
        buttons=((await _more(caller, context, page[-1].job.id),),) if len(found) > _PAGE else (),
        private=True,
    )


def _headline(after: int | None, has_own: bool) -> str:
    if after is not None:
        return f"On the way after {after}:"
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


async def _more(caller: Caller, context: AppContext, after: int) -> Button:
    further = await context.calls.save(
        caller.guild.id, caller.member.id, COMMAND.name, QueueOptions(after=after).texts()
    )
    return Button(verb=Verb.CALL, target=further, label="More")


COMMAND: Final = Command(
    name="queue",
    help="What waits and renders",
    example="/queue",
    takes=QueueOptions,
    handler=queue,
    private=True,
)
