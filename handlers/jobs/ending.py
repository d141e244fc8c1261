"""The end that a member may put to a job of any kind: cancel it while it runs, delete it afterwards."""

from typing import assert_never

from handlers.commands.actions import Remove
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed, may_manage
from handlers.jobs.visible_job import visible_job
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.job_queue import CancelResult
from storage.queue.jobs import OPEN_STATES, Job


async def cancel_job(caller: Caller, context: AppContext, job_id: int) -> Message:
    """Cancel the one job `job_id`, if it is the caller's or the caller is an admin."""
    job = await context.queue.get(caller.guild.id, job_id)
    if job is None or not (may_manage(caller.member, job) or await visible_job(job_id, caller, context)):
        raise UserError(f"There is no job {job_id} here; /queue lists yours.")
    if not may_manage(caller.member, job):
        raise NotAllowed(f"Job {job_id} belongs to {job.member_name}; only they or an admin can cancel it.")
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
    posted = await context.outbox.posted_as(job.id)
    await context.members.delete_job(caller.guild.id, job.id)
    return Remove(job_id=job.id, posted=posted or "")
