"""/cancel: stop a job that waits or renders."""

from collections.abc import Sequence
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.forms import call_button
from handlers.jobs.ending import CANCEL, CancelOptions, cancel_job, is_dear, what_is_lost
from handlers.messages.message import Message
from pipeline.errors import UserError
from storage.queue.job_queue import CancelResult
from storage.queue.jobs import OPEN_STATES, Job

_FEW: Final = 3
"""So many are cancelled at once without a question."""


async def cancel(caller: Caller, options: CancelOptions, context: AppContext) -> Message:
    """Cancel one job, or without a number every open job of the caller's; what is dear only once confirmed."""
    if options.job is not None:
        return await cancel_job(caller, context, options.job, confirmed=options.confirm or False)
    jobs = await context.queue.member_jobs(caller.guild.id, caller.member.id, states=OPEN_STATES)
    if not options.confirm and (len(jobs) > _FEW or any(is_dear(job) for job in jobs)):
        return await _ask(jobs, caller, context)
    results = [await context.queue.cancel(caller.guild.id, job.id) for job in jobs]
    stopping = results.count(CancelResult.STOPPING)
    count = results.count(CancelResult.CANCELLED) + stopping
    if not count:
        raise UserError("Nothing of yours is waiting or rendering.")
    lines = (f"{stopping} of them being made: stopped at the next step.",) if stopping else ()
    return Message(headline=f"Cancelled {count} of yours.", lines=lines, private=True)


async def _ask(jobs: Sequence[Job], caller: Caller, context: AppContext) -> Message:
    everything = f"Cancel all {len(jobs)}" if len(jobs) > 1 else "Cancel it"
    lines = [f"{context.jobs.title(job)} is being learnt. {what_is_lost(job)}" for job in jobs if is_dear(job)]
    confirmed = await call_button(caller, context, CANCEL, CancelOptions(confirm=True), everything)
    headline = f"Cancel all {len(jobs)} of yours?" if len(jobs) > 1 else "Cancel the one job of yours?"
    return Message(headline=headline, lines=tuple(lines), buttons=((confirmed,),), private=True)


COMMAND: Final = Command(
    name=CANCEL,
    help="Stop a picture that waits or renders",
    example="/cancel 12",
    takes=CancelOptions,
    handler=cancel,
    private=True,
)
