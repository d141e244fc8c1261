"""The one place that decides whether a member may name a job, by a number or a button: all others do not exist."""

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from storage.queue.jobs import Job


async def visible_job(job_id: int, caller: Caller, context: AppContext) -> Job | None:
    """The job of that id in the caller's guild, if it is the caller's or was asked for openly where the caller is.

    What was asked for in a channel is open in its threads, too; what was asked for in a thread is open there alone.

    None for every other, so that nobody learns from a refusal what others asked for in private or elsewhere.
    """
    job = await context.queue.get(caller.guild.id, job_id)
    if job is None or job.member_id == caller.member.id:
        return job
    asked = await context.outbox.address(caller.guild.id, job_id)
    if asked is None or asked.private or asked.channel_id != caller.reply.channel_id:
        return None
    return job if asked.thread_id in (None, caller.reply.thread_id) else None
