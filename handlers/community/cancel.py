"""/cancel: stop a job that waits or renders."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details
from handlers.commands.options import Options
from handlers.jobs.ending import cancel_job
from handlers.messages.message import Message
from pipeline.errors import UserError
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


COMMAND: Final = Command(
    name="cancel",
    help="Stop a picture that waits or renders",
    example="/cancel 12",
    takes=CancelOptions,
    handler=cancel,
    private=True,
)
