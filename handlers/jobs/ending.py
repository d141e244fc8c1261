"""The end that a member may put to a job of any kind: cancel it while it runs, delete it afterwards."""

from dataclasses import dataclass
from typing import Annotated, Final, assert_never

from handlers.commands.actions import Remove
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed, may_manage
from handlers.jobs.visible_job import visible_job
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.job_queue import CancelResult
from storage.queue.jobs import OPEN_STATES, Job, JobKind, JobState

CANCEL: Final = "cancel"
"""The command that cancels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOptions(Options):
    """The options of /cancel."""

    job: Annotated[
        int | None,
        Details("Its number; without one, all of yours", rest=True, low=1, completion=Completion.OPEN_JOBS),
    ] = None
    confirm: Annotated[bool | None, Details("Stop without asking again", flag_only=True)] = None


def is_dear(job: Job) -> bool:
    """Whether so much work would be lost that nobody should cancel the job by mistake."""
    return job.kind == JobKind.TRAIN and job.state is JobState.RUNNING


def what_is_lost(job: Job) -> str:
    """What becomes of a training that is stopped."""
    return "It keeps the best that it has learnt." if job.step else "Nothing of it is kept."


async def cancel_job(caller: Caller, context: AppContext, job_id: int, *, confirmed: bool = False) -> Message:
    """Cancel the one job `job_id`, if it is the caller's or the caller is an admin; what is dear once `confirmed`."""
    job = await context.queue.get(caller.guild.id, job_id)
    if job is None or not (may_manage(caller.member, job) or await visible_job(job_id, caller, context)):
        raise UserError(f"There is no job {job_id} here; /queue lists yours.")
    if not may_manage(caller.member, job):
        raise NotAllowed(f"Job {job_id} belongs to {job.member_name}; only they or an admin can cancel it.")
    if job.state is JobState.CANCELLED:  # by an earlier try of the same command, or by a second one
        return Message(headline=f"Job {job_id} is cancelled.", private=True)
    if is_dear(job) and not confirmed:
        stop = await call_button(caller, context, CANCEL, CancelOptions(job=job_id, confirm=True), "Stop it")
        headline = f"Stop learning {context.jobs.title(job)}?"
        return Message(headline=headline, lines=(what_is_lost(job),), buttons=((stop,),), private=True)
    result = await context.queue.cancel(caller.guild.id, job_id)
    match result:
        case CancelResult.CANCELLED:
            return Message(headline=f"Job {job_id} is cancelled.", private=True)
        case CancelResult.STOPPING:
            return Message(headline=f"Job {job_id} stops at its next step.", private=True)
        case CancelResult.TOO_LATE:
            raise UserError(f"Job {job_id} is already finished.")
        case CancelResult.NOT_FOUND:
            raise UserError(f"There is no job {job_id} here; /queue lists yours.")
        case _:
            assert_never(result)


async def cancel(job: Job, _index: int, caller: Caller, context: AppContext) -> Message:
    """The button that cancels."""
    return await cancel_job(caller, context, job.id)


async def delete(job: Job, _index: int, caller: Caller, context: AppContext) -> Remove:
    """The button that deletes a job and what it made; raises UserError."""
    if not may_manage(caller.member, job):
        raise NotAllowed(f"This is {job.member_name}'s; only they or who manages messages here can delete it.")
    if job.state in OPEN_STATES:
        raise UserError("This is still being made; cancel it first.")
    removal = Remove(job_id=job.id, posted=await context.outbox.posted_as(job.id) or "")
    if (received_id := context.inbox.handled_id) is not None:
        await context.notes.put(_removal_note(received_id), removal.posted)
    await context.members.delete_job(caller.guild.id, job.id)
    return removal


async def begun_removal(job_id: int, context: AppContext) -> Remove | None:
    """What is still to be removed where the process that took the click was stopped once the job was deleted."""
    received_id = context.inbox.handled_id
    posted = None if received_id is None else await context.notes.get(_removal_note(received_id))
    return None if posted is None else Remove(job_id=job_id, posted=posted)


async def end_removal(context: AppContext) -> None:
    """Take note that nothing is left of what the click removed."""
    if (received_id := context.inbox.handled_id) is not None:
        await context.notes.drop(_removal_note(received_id))


def _removal_note(received_id: int) -> str:
    return f"removal:{received_id}"
