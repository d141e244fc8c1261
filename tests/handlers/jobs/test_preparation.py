"""Jobs that are made ready beside the devices."""

from pathlib import Path

from handlers.commands.context import AppContext
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.app_contexts import CallCommand
from tests.handlers.lora_adders import (
    FakeImporters,
    FakeSource,
    ended,
    working,
)


async def test_cancel_works_while_it_is_fetched(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """With nothing left behind, nor a slot taken on the device meanwhile."""
    source = FakeSource(stuck=True)
    message = await call("lora add", link="https://example.org/x")
    assert message.job_id is not None
    async with working(context, tmp_path, source):
        await source.begun.wait()
        await context.queue.cancel(guild.id, message.job_id)
        job = await ended(context, guild)

    assert job.state is JobState.CANCELLED
    assert not list((tmp_path / "incoming").iterdir())


async def test_a_stop_gives_it_back_and_the_next_worker_begins_again(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path
) -> None:
    """The attempt uncounted, with a whole file in place of the part."""
    source, importers = FakeSource(stuck=True), FakeImporters()
    await call("lora add", link="https://example.org/x")
    async with working(context, tmp_path, source):
        await source.begun.wait()
    async with working(context, tmp_path, FakeSource(), importers):
        job = await ended(context, guild)

    assert (job.state, job.attempt) == (JobState.DONE, 1)
    assert importers.read == [b"the whole file"]
    assert await context.loras.get(guild.id, "ada", "chalk-co") is not None
