"""/cancel: stop a job that waits or renders."""

from typing import Final, assert_never

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option, OptionKind
from handlers.commands.permissions import NotAllowed, may_manage
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.job_queue import CancelResult
from storage.queue.jobs import OPEN_STATES


async def cancel(call: Call, context: AppContext) -> Message:
    """Cancel one job, or without a number every open job of the caller's."""
    number = call.arguments.integer("job")
    if number is not None:
        return await cancel_job(call, context, number)
    jobs = await context.queue.member_jobs(call.guild.id, call.member.id, states=OPEN_STATES)
    if not jobs:
        raise UserError("Nothing of yours is waiting or rendering.")
    for job in jobs:
        await context.queue.cancel(call.guild.id, job.id)
    return Message(headline=f"Cancelled {len(jobs)} of yours.", private=True)


async def cancel_job(call: Call, context: AppContext, job_id: int) -> Message:
    """Cancel the one job `job_id`, if it is the caller's or the caller is an admin."""
    job = await context.queue.get(call.guild.id, job_id)
    if job is None:
        raise UserError(f"There is no job {job_id} here; /queue lists yours.")
    if not may_manage(call.member, job):
        raise NotAllowed(f"Job {job_id} belongs to {job.member_name}; only they or an admin can cancel it.")
    result = await context.queue.cancel(call.guild.id, job_id)
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
    handler=cancel,
    private=True,
    options=(
        Option(
            name="job",
            help="Its number; without one, all of yours",
            kind=OptionKind.INTEGER,
            rest=True,
            low=1,
            completion=Completion.OPEN_JOBS,
        ),
    ),
)
