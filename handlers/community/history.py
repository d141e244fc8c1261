"""/history: what one asked for before, to search, to page through, to have sent and to make again."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
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
    found, older = await _page(caller, context, search, options.before)
    kept = await _undelivered(caller, context) if not search and options.before is None else None
    if not found and older is None and kept is None:
        words = f"Nothing of yours mentions '{search:.60}'." if search else "You have asked for nothing here yet."
        return Message(headline=words, private=True)
    made = [job.id for job in found if job.state is JobState.DONE]
    if kept is not None and kept.job_id is not None and kept.job_id not in made:
        made = [kept.job_id, *made[: _PAGE - 1]]
    rows = [
        tuple(Button(verb=Verb.AGAIN, target=job.id, label=f"Again: {job.id}") for job in found),
        tuple(Button(verb=Verb.SAVE, target=job_id, label=f"Save: {job_id}") for job_id in made),
    ]
    lines = [_line(job) for job in found]
    if older is not None:
        if len(found) < _PAGE:
            lines.append(f"Searched back to job {older}; Older looks further.")
        further = HistoryOptions(search=search, before=older)
        rows.append((await call_button(caller, context, COMMAND.name, further, "Older"),))
    buttons = tuple(row for row in rows if row)
    message = Message(headline="Your pictures", lines=tuple(lines), buttons=buttons, private=True)
    return message if kept is None else replace(message, lines=(*kept.lines, *message.lines), images=kept.images)


async def _undelivered(caller: Caller, context: AppContext) -> Message | None:
    """The newest result that could not be brought to the caller, whatever made it: shown until they save it."""
    job = await context.outbox.newest_kept(caller.guild.id, caller.member.id)
    if job is None:
        return None
    shown = await shown_images(job, caller.reply, context)
    words = shown.withheld or f"{job.id} could not be brought to you; here it is, until you choose 'Save: {job.id}'."
    return Message(headline="", lines=(words,), images=shown.images, job_id=job.id)


async def _page(caller: Caller, context: AppContext, search: str, before: int | None) -> tuple[list[Job], int | None]:
    """One page of jobs whose prompt has every word of `search`, and the job before which the next page begins.

    A search ends after so many jobs, since each has to be read; None says that no older job is left.
    """
    words = set(search.casefold().split())
    found: list[Job] = []
    for _ in range(_SEARCHED // _BATCH):
        jobs = await context.queue.member_jobs(
            caller.guild.id, caller.member.id, kinds=(JobKind.IMAGINE,), limit=_BATCH, before=before
        )
        found += [job for job in jobs if _mentions(job, words)]
        if len(found) > _PAGE:
            return found[:_PAGE], found[_PAGE - 1].id
        if len(jobs) < _BATCH:
            return found, None
        before = jobs[-1].id
    return found, before


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
