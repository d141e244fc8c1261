"""/queue: what waits and renders, one's own and the guild's, and whose turn comes when."""

from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.messages.job_status import progress_words, seconds_words
from handlers.messages.message import Button, Message, Verb
from storage.queue.jobs import OPEN_STATES, Job, JobState
from storage.queue.outbox import Reply

_PAGE: Final = 10
_PROMPT_LENGTH: Final = 60


async def queue(call: Call, context: AppContext) -> Message:
    """The caller's open jobs, then the other members' a page at a time, each with its place."""
    after = call.arguments.integer("after")
    mine: tuple[Job, ...] = ()
    if after is None:
        mine = await context.queue.member_jobs(call.guild.id, call.member.id, states=OPEN_STATES, limit=_PAGE)
    found = await context.outbox.open_in_guild(call.guild.platform, call.guild.id, after or 0, _PAGE + 1)
    page = found[:_PAGE]
    others = [reply for reply in page if reply.job.member_id != call.member.id]
    lines = [f"{job.id}: {_shortened(context.jobs.title(job))}{await _standing(call, context, job)}" for job in mine]
    if others:
        lines.append("Of others:")
    lines += [
        f"{reply.job.id}: {_others_job(reply, call, context)}{await _standing(call, context, reply.job)}"
        for reply in others
    ]
    return Message(
        headline=_headline(after, bool(mine)),
        lines=tuple(lines),
        buttons=((await _more(call, context, page[-1].job.id),),) if len(found) > _PAGE else (),
        private=True,
    )


def _headline(after: int | None, has_own: bool) -> str:
    if after is not None:
        return f"On the way after {after}:"
    return "Your pictures on the way:" if has_own else "Nothing of yours is waiting."


def _others_job(reply: Reply, call: Call, context: AppContext) -> str:
    """Another member's job: its words only where the caller could have read them, in the open and in this channel."""
    asked = reply.address
    here = (asked.channel_id, asked.thread_id) == (call.reply.channel_id, call.reply.thread_id)
    if asked.private or not here:
        return "private" if asked.private else "asked elsewhere"
    return f"{reply.job.member_name}: {_shortened(context.jobs.title(reply.job))}"


def _shortened(prompt: str) -> str:
    return prompt if len(prompt) <= _PROMPT_LENGTH else prompt[: _PROMPT_LENGTH - 1] + "…"


async def _standing(call: Call, context: AppContext, job: Job) -> str:
    if job.state is JobState.RUNNING:
        return f" · {progress_words(job)}" if job.steps else " · starting"
    place = await context.queue.place(call.guild.id, job.id)
    return "" if place is None else f" · {place.before} before it, {seconds_words(place.seconds)}"


async def _more(call: Call, context: AppContext, after: int) -> Button:
    further = await context.calls.save(call.guild.id, call.member.id, COMMAND.name, {"after": str(after)})
    return Button(verb=Verb.CALL, target=further, label="More")


COMMAND: Final = Command(
    name="queue",
    help="What waits and renders",
    example="/queue",
    handler=queue,
    private=True,
    options=(Option(name="after", help="Only jobs after this number", kind=OptionKind.INTEGER, low=1),),
)
