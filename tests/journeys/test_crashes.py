"""Twenty jobs and a hand on the power switch: all of them finish, each once."""

from pathlib import Path

import pytest

from bot.assembly.settings import Settings
from pipeline.images.metadata import read
from storage.database import Database
from storage.guilds.guilds import GuildStore
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import JobState
from tests.eventually import eventually
from tests.journeys.terminal import children, images, kill, run, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model
JOBS = 20
LINES = "".join(f"/imagine fox number {number} --steps 6 --seed {number}\n" for number in range(JOBS))


async def test_twenty_jobs_survive_the_chat_process_and_the_device_being_killed(tmp_path: Path) -> None:
    """By kill -9: the chat process, the device, the chat process again; then everything is there, once."""
    folder = tmp_path / "pictures"
    async with running("chat", data=tmp_path, text=LINES) as process:
        await images(folder, 2)
        kill(process.pid)
        await process.wait()
    async with running("chat", data=tmp_path) as process:
        before = len(await images(folder, 4))
        for device in children(process):
            kill(device.pid)
        await images(folder, before + 3)
        kill(process.pid)
        await process.wait()

    code, _, errors = await run("chat", data=tmp_path)

    assert code == 0, errors
    seeds = sorted(read(path.read_bytes()).request().seed for path in await images(folder, JOBS))
    assert seeds == list(range(JOBS))
    await _assert_each_done_once(tmp_path)


async def _assert_each_done_once(data: Path) -> None:
    settings = Settings(data=data)
    database = await Database.open(settings.database_url)
    guild = await GuildStore(database).ensure(Platform.TERMINAL, "local", "this terminal")
    queue = JobQueue(database)
    jobs = await queue.guild_jobs(guild.id, limit=100)
    counts = [len(await queue.images(guild.id, job.id)) for job in jobs]
    await database.close()

    assert [job.state for job in jobs] == [JobState.DONE] * JOBS
    assert counts == [1] * JOBS


async def test_a_killed_chat_process_takes_its_device_with_it(tmp_path: Path) -> None:
    """No orphan goes on holding the GPU."""
    async with running("chat", data=tmp_path, text=LINES) as process:
        await images(tmp_path / "pictures", 1)
        devices = children(process)
        assert devices
        kill(process.pid)
        await process.wait()

        async def gone() -> bool:
            return not any(device.is_running() and device.status() != "zombie" for device in devices)

        await eventually(gone)
