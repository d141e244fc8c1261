"""A hand on the power switch, again and again: all jobs finish, each once."""

from asyncio.subprocess import Process
from functools import partial
from pathlib import Path

import psutil
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


@pytest.mark.parametrize(
    ("jobs", "cuts", "between"),
    # Between two cuts of many, all that runs comes to its end: a job that is cut off three times has failed.
    [pytest.param(14, 1, 2, id="once"), pytest.param(140, 5, 8, id="again and again", marks=pytest.mark.soak)],
)
async def test_jobs_survive_the_chat_process_and_the_device_being_killed(
    tmp_path: Path, jobs: int, cuts: int, between: int
) -> None:
    """By kill -9: the device, then the chat process, and no orphan goes on holding the GPU; all is there, once."""
    folder, text = tmp_path / "images", _lines(jobs)
    made = 0
    for _ in range(cuts):
        async with running("chat", data=tmp_path, text=text) as process:
            made = len(await images(folder, made + between))
            for device in children(process):
                kill(device.pid)
            made = len(await images(folder, made + between))
            # What was finished before the kill may be posted before there is another device.
            devices = await eventually(partial(_devices, process))
            kill(process.pid)
            await process.wait()
            await _are_gone(devices)
        text = ""

    code, _, errors = await run("chat", data=tmp_path)

    assert code == 0, errors
    seeds = sorted(read(path.read_bytes()).request().seed for path in await images(folder, jobs))
    assert seeds == list(range(jobs))
    await _assert_each_done_once(tmp_path, jobs)


def _lines(jobs: int) -> str:
    return "".join(f"/imagine fox number {number} --steps 6 --seed {number}\n" for number in range(jobs))


async def _devices(process: Process) -> list[psutil.Process]:
    return children(process)


async def _are_gone(devices: list[psutil.Process]) -> None:
    async def gone() -> bool:
        return not any(device.is_running() and device.status() != "zombie" for device in devices)

    await eventually(gone)


async def _assert_each_done_once(data: Path, count: int) -> None:
    settings = Settings(data=data)
    database = await Database.open(settings.database_url)
    guild = await GuildStore(database).ensure(Platform.TERMINAL, "local", "this terminal")
    queue = JobQueue(database)
    jobs = await queue.guild_jobs(guild.id, limit=count + 1)
    counts = [len(await queue.images(guild.id, job.id)) for job in jobs]
    await database.close()

    assert [job.state for job in jobs] == [JobState.DONE] * count
    assert counts == [1] * count
