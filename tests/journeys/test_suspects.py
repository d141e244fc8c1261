"""An image that kills what runs it, in real processes: it fails, and its neighbours in other guilds do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from handlers.jobs.payloads import REQUEST
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.devices.process_device import ChildDevice
from pipeline.requests.device_spec import DeviceSpec
from storage.blobs import FileBlobStore
from storage.database import Database
from storage.guilds.guilds import GuildStore
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Job, JobState
from storage.queue.key_values import KeyValues
from storage.queue.step_costs import StepCosts
from tests.eventually import eventually
from tests.fakes import request
from tests.journeys.deadly_device import HANGS, KILLS_DEVICE, KILLS_SERVER, SITE
from tests.journeys.terminal import end, start
from tests.new_jobs import new_job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model
SPEC = DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=0, snapshot_every=4)


@asynccontextmanager
async def _working(database: Database, data: Path, *, at_once: int, silence_seconds: float) -> AsyncIterator[None]:
    """A worker whose device does as the prompts say, until the block ends."""
    stop = asyncio.Event()
    worker = Worker(
        name="worker",
        queue=JobQueue(database),
        blobs=FileBlobStore(data / "blobs"),
        costs=StepCosts(KeyValues(database)),
        jobs=JOBS,
        devices=(ChildDevice(SPEC, program="tests.journeys.deadly_device"),),
        images_at_once=at_once,
        drain_seconds=0.0,
        silence_seconds=silence_seconds,
    )
    running = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def _enqueue(database: Database, culprit: str, innocent: int) -> list[Job]:
    """The culprit's job, and those of others in as many guilds."""
    guilds, jobs = GuildStore(database), []
    for number, prompt in enumerate([culprit, *["red fox"] * innocent]):
        guild = await guilds.ensure(Platform.DISCORD, str(number), f"guild {number}")
        payload = REQUEST.write(request(prompt, seed=number, steps=6))
        jobs.append(await JobQueue(database).enqueue(new_job(guild.id, payload=payload)))
    return jobs


async def _ended(database: Database, *jobs: Job) -> list[Job]:
    """The jobs, once all have ended."""

    async def look() -> list[Job] | None:
        found = [await JobQueue(database).get(job.guild_id, job.id) for job in jobs]
        return [job for job in found if job] if all(job and job.finished_at for job in found) else None

    return await eventually(look)


def _assert_only_the_culprit_failed(culprit: Job, *innocent: Job) -> None:
    assert (culprit.state, culprit.attempt) == (JobState.FAILED, 3)
    assert culprit.error == (
        "This made the device stop; it was tried 3 times. Change its options, or ask an admin to look at the log."
    )
    assert [(job.state, job.attempt) for job in innocent] == [(JobState.DONE, 1)] * len(innocent)


async def test_a_job_that_kills_its_device_fails_alone(sqlite: Database, tmp_path: Path) -> None:
    """By a segmentation fault, with two neighbours of two guilds on the device."""
    await _kill_a_device(sqlite, tmp_path, innocent=2)


@pytest.mark.soak
async def test_a_job_that_kills_its_device_fails_alone_on_each_database(database: Database, tmp_path: Path) -> None:
    """With five neighbours."""
    await _kill_a_device(database, tmp_path, innocent=5)


async def _kill_a_device(database: Database, tmp_path: Path, *, innocent: int) -> None:
    jobs = await _enqueue(database, KILLS_DEVICE, innocent=innocent)

    async with _working(database, tmp_path, at_once=len(jobs), silence_seconds=600):
        ended = await _ended(database, *jobs)

    _assert_only_the_culprit_failed(*ended)
    for job in jobs[1:]:
        assert len(await JobQueue(database).images(job.guild_id, job.id)) == 1


@pytest.mark.soak
async def test_a_job_that_hangs_does_not_hold_up_the_others(sqlite: Database, tmp_path: Path) -> None:
    """Its device is ended, and they are made on the next one."""
    jobs = await _enqueue(sqlite, HANGS, innocent=2)

    async with _working(sqlite, tmp_path, at_once=len(jobs), silence_seconds=8):
        innocent = await _ended(sqlite, *jobs[1:])

    assert [(job.state, job.attempt) for job in innocent] == [(JobState.DONE, 1)] * 2


@pytest.mark.soak
async def test_a_job_that_kills_the_whole_server_fails_alone(sqlite: Database, tmp_path: Path) -> None:
    """What is known of it is in its row: each new server goes on from there."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(root=str(Path(__file__).parents[2])))
    jobs = await _enqueue(sqlite, KILLS_SERVER, innocent=3)

    async def serve() -> None:
        """Start it again whenever it dies, as a supervisor does."""
        while True:
            process = await start(("serve",), tmp_path, LIMNER_DEVICES="cpu", PYTHONPATH=str(site))
            try:
                await process.wait()
            finally:
                await end(process)

    serving = asyncio.create_task(serve())
    # One by one: each may take as long as a test waits.
    ended = [job for each in reversed(jobs) for job in await _ended(sqlite, each)]
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    _assert_only_the_culprit_failed(*reversed(ended))
