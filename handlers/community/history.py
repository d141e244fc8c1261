"""/history: what one asked for before, to search, to page through, to have sent and to make again."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.jobs.payloads import REQUEST
from handlers.jobs.result_images import shown_images
from handlers.messages.message import Button, Message, Verb
from storage.queue.jobs import Job, JobKind, JobState

_PAGE: Final = 5
_BATCH: Final = 100
_SEARCHED: Final = 1000
_PROMPT_LENGTH: Final = 90
_MARKS: Final = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "being made",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOptions(Options):
    """The options of /history."""

    search: Annotated[str | None, Details("Words of the prompt", rest=True)] = None
    before: Annotated[int | None, Details("Only jobs before this number", low=1)] = None


async def history(caller: Caller, options: HistoryOptions, context: AppContext) -> Message:
    """The caller's own jobs, newest first, a page at a time; a button each makes it again, one sends what was made."""
    search = (options.search or "").strip()
    found, more = await _page(caller, context, search, options.before)
    kept = await _undelivered(caller, context) if not search and options.before is None else None
    if not found and kept is None:
        words = f"Nothing of yours mentions '{search:.60}'." if search else "You have asked for nothing here yet."
        return Message(headline=words, private=True)
    rows = [tuple(Button(verb=Verb.AGAIN, target=job.id, label=f"Again: {job.id}") for job in found)]
    made = [job.id for job in found if job.state is JobState.DONE]
    if kept is not None and kept.job_id is not None and kept.job_id not in made:
        made = [kept.job_id, *made[: _PAGE - 1]]
    rows.append(tuple(Button(verb=Verb.SAVE, target=job_id, label=f"Save: {job_id}") for job_id in made))
    if more:
        values = HistoryOptions(search=search, before=found[-1].id).texts()
        older = await context.calls.save(caller.guild.id, caller.member.id, COMMAND.name, values)
        rows.append((Button(verb=Verb.CALL, target=older, label="Older"),))
    message = Message(
        headline="Your pictures",
        lines=tuple(_line(job) for job in found),
        buttons=tuple(row for row in rows if row),
        private=True,
    )
    return message if kept is None else replace(message, lines=(*kept.lines, *message.lines), images=kept.images)


async def _undelivered(caller: Caller, context: AppContext) -> Message | None:
    """The newest result that could not be brought to the caller, whatever made it: shown until they save it."""
    job = await context.outbox.newest_kept(caller.guild.id, caller.member.id)
    if job is None:
        return None
    shown = await shown_images(job, caller.reply, context)
    words = shown.withheld or f"{job.id} could not be brought to you; here it is, until you choose 'Save: {job.id}'."
    return Message(headline="", lines=(words,), images=shown.images, job_id=job.id)


async def _page(caller: Caller, context: AppContext, search: str, before: int | None) -> tuple[list[Job], bool]:
    """One page of jobs whose prompt has every word of `search`, and whether there is another."""
    words = set(search.casefold().split())
    found: list[Job] = []
    for _ in range(_SEARCHED // _BATCH):
        jobs = await context.queue.member_jobs(caller.guild.id, caller.member.id, limit=_BATCH, before=before)
        found += [job for job in jobs if job.kind == JobKind.IMAGINE and _mentions(job, words)]
        if len(found) > _PAGE or len(jobs) < _BATCH:
            break
        before = jobs[-1].id
    return found[:_PAGE], len(found) > _PAGE


def _mentions(job: Job, words: set[str]) -> bool:
    prompt = REQUEST.read(job.payload).prompt.casefold()
    return all(word in prompt for word in words)


def _line(job: Job) -> str:
    request = REQUEST.read(job.payload)
    prompt = request.prompt if len(request.prompt) <= _PROMPT_LENGTH else request.prompt[: _PROMPT_LENGTH - 1] + "…"
    return f"{job.id}: {prompt} · {request.width}×{request.height} · seed {request.seed} · {_MARKS[job.state]}"


COMMAND: Final = Command(
    name="history",
    help="What you asked for before",
    example="/history fox",
    takes=HistoryOptions,
    handler=history,
    private=True,
)
