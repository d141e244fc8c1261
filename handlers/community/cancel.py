"""/cancel: stop a job that waits or renders."""

from dataclasses import dataclass
from typing import Annotated, Final, assert_never

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed, may_manage
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.job_queue import CancelResult
from storage.queue.jobs import OPEN_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOptions(Options):
    """The options of /cancel."""

    job: Annotated[
        int | None,
        Details("Its number; without one, all of yours", rest=True, low=1, completion=Completion.OPEN_JOBS),
    ] = None


async def cancel(caller: Caller, options: CancelOptions, context: AppContext) -> Message:
    """Cancel one job, or without a number every open job of the caller's."""
    if options.job is not None:
        return await cancel_job(caller, context, options.job)
    jobs = await context.queue.member_jobs(caller.guild.id, caller.member.id, states=OPEN_STATES)
    if not jobs:
        raise UserError("Nothing of yours is waiting or rendering.")
    for job in jobs:
        await context.queue.cancel(caller.guild.id, job.id)
    return Message(headline=f"Cancelled {len(jobs)} of yours.", private=True)


async def cancel_job(caller: Caller, context: AppContext, job_id: int) -> Message:
    """Cancel the one job `job_id`, if it is the caller's or the caller is an admin."""
    job = await context.queue.get(caller.guild.id, job_id)
    if job is None:
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


COMMAND: Final = Command(
    name="cancel",
    help="Stop a picture that waits or renders",
    example="/cancel 12",
    takes=CancelOptions,
    handler=cancel,
    private=True,
)
