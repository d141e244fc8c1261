"""The periodic duties, as the composition root runs them."""

from pathlib import Path

from bot.assembly.runtime import open_runtime, running_duties
from bot.assembly.settings import Settings
from handlers.jobs.payloads import REQUEST
from storage.platform import Platform
from storage.queue.jobs import JobKind, JobState, NewJob
from storage.queue.reply_address import ReplyAddress
from tests.eventually import eventually
from tests.fakes import request


async def test_a_dead_workers_job_is_rescued_by_the_duties(tmp_path: Path) -> None:
    """A worker that fell silent loses its claim, and the job waits for another one."""
    settings = Settings(data=tmp_path, stale_seconds=1)
    async with open_runtime(settings) as runtime:
        queue = runtime.context.queue
        guild = await runtime.context.guilds.ensure(Platform.TERMINAL, "local", "this terminal")
        job = await queue.enqueue(
            NewJob(
                guild_id=guild.id, member_id="ada", member_name="Ada", kind=JobKind.IMAGINE,
                payload=REQUEST.write(request()), cost_key="pocket", cost_units=1.0,
                reply=ReplyAddress(platform=Platform.TERMINAL, channel_id="terminal", user_id="ada"),
            )
        )  # fmt: skip
        assert await queue.claim("a worker that dies") is not None

        async def waits_again() -> bool:
            found = await queue.get(guild.id, job.id)
            return found is not None and found.state is JobState.QUEUED

        async with running_duties(runtime):
            assert await eventually(waits_again)
