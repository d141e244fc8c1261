"""A power cut in the middle of an image: only the rest is made again, and the image is the same."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from bot.assembly.runtime import SNAPSHOT_EVERY
from bot.assembly.settings import Settings
from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.devices.process_device import ChildDevice
from pipeline.engine.engine import Engine
from pipeline.engine.snapshot import Snapshot
from pipeline.images.metadata import read
from pipeline.requests.device_messages import Event, Order, Render, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest
from storage.blobs import FileBlobStore
from storage.database import Database, migrate
from storage.guilds.guilds import Guild, GuildStore
from storage.platform import Platform
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job, JobState
from storage.queue.snapshots import StoredSnapshot
from tests.eventually import eventually
from tests.fakes import request
from tests.journeys.terminal import end, start
from tests.new_jobs import new_job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model
SPEC = DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=0, snapshot_every=SNAPSHOT_EVERY)
# So long that no machine is done before a beat has taken the first of it to the queue.
STEPS = 80
FOX = request("red fox", steps=STEPS)
DIES_AT = 41


class FragileDevice(ChildDevice):
    """A real device that remembers what went over its line, and whose process is killed once, at a step."""

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.renders: list[Render] = []
        self.steps: list[list[int]] = []
        self.killed = False

    async def submit(self, order: Order) -> None:
        assert isinstance(order, Render), "only pictures are made here"
        self.renders.append(order)
        self.steps.append([])
        await super().submit(order)

    async def events(self) -> AsyncIterator[Event]:
        async for event in super().events():
            if isinstance(event, Stepped):
                self.steps[-1].append(event.step)
                if event.step == DIES_AT and not self.killed:
                    self.killed = True
                    assert self._process is not None
                    os.kill(self._process.pid, signal.SIGKILL)
            yield event


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    """The image that nobody interrupts."""
    engine = Engine(SPEC)
    engine.admit("a", replace(FOX, bucket=2))
    while not engine.idle:
        for event in engine.step():
            if isinstance(event, Rendered):
                return event.png
    raise AssertionError("no picture came")


def pixels(png: bytes) -> bytes:
    assert read(png).bucket == 2
    return Image.open(io.BytesIO(png)).tobytes()


async def test_a_device_killed_in_an_image_costs_the_steps_since_its_snapshot(
    context: AppContext, guild: Guild, undisturbed: bytes
) -> None:
    """Fewer than SNAPSHOT_EVERY of those that it had made; the next attempt makes the rest, to the same last bit."""
    job = await context.queue.enqueue(new_job(guild.id, payload=REQUEST.write(FOX)))
    device, stop = FragileDevice(), asyncio.Event()
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS, devices=(device,)
    )
    working = asyncio.create_task(worker.run(stop))

    await _until(context.queue, job, JobState.DONE)
    stop.set()
    await working

    before, after = device.steps
    assert before == list(range(1, before[-1] + 1))
    assert after == list(range(after[0], STEPS + 1))
    assert before[-1] - SNAPSHOT_EVERY < after[0] - 1 <= before[-1] < STEPS
    assert device.renders[1].snapshot is not None
    (image,) = await context.queue.images(guild.id, job.id)
    assert pixels(await context.blobs.get(image.blob)) == pixels(undisturbed)


@dataclass(slots=True, kw_only=True)
class Pool:
    """A data folder on which `limner serve` is started and ended, seen through its database."""

    data: Path
    queue: JobQueue
    guild: Guild

    async def enqueue(self, asked: ImageRequest) -> Job:
        return await self.queue.enqueue(new_job(self.guild.id, payload=REQUEST.write(asked)))

    async def snapshot(self, job: Job) -> tuple[StoredSnapshot, ...]:
        return await self.queue.snapshot(Claim(job=job, worker="", token=0))

    async def steps_until_done(self, job: Job) -> list[int]:
        """Every step that the next attempt tells in the job's row, once it is done."""
        seen: list[int] = []

        async def look() -> bool:
            found = await self.queue.get(self.guild.id, job.id)
            assert found is not None
            assert found.state in {JobState.QUEUED, JobState.RUNNING, JobState.DONE}
            # Before it is rescued, the row still tells the step of the one that was killed.
            if found.state is JobState.RUNNING and found.restarts and found.step:
                seen.append(found.step)
            return found.state is JobState.DONE

        await eventually(look)
        return seen

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await start(("serve",), self.data, LIMNER_DRAIN_SECONDS="0", LIMNER_DEVICES="cpu")
        try:
            yield process
        finally:
            await end(process)


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    url = Settings(data=tmp_path).database_url
    await migrate(url)
    database = await Database.open(url)
    guild = await GuildStore(database).ensure(Platform.DISCORD, "1", "Pixel People")
    yield Pool(data=tmp_path, queue=JobQueue(database), guild=guild)
    await database.close()


@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
async def test_the_next_process_goes_on_where_the_one_before_ended(
    end: signal.Signals, pool: Pool, undisturbed: bytes
) -> None:
    """By kill -9 with what the last beat took to the queue, by a soft stop with the very step that was reached."""
    job = await pool.enqueue(FOX)
    async with pool.serving() as process:
        await eventually(lambda: pool.snapshot(job))
        process.send_signal(end)
        await process.communicate()
    (kept,) = await pool.snapshot(job)
    begun = Snapshot.from_bytes(kept.data).places["calls"]
    assert begun is not None
    assert begun > 0

    async with pool.serving():
        seen = await pool.steps_until_done(job)

    assert seen
    assert all(step > begun for step in seen)
    done = await pool.queue.get(pool.guild.id, job.id)
    assert done is not None
    assert done.attempt == 1
    (image,) = await pool.queue.images(pool.guild.id, job.id)
    assert pixels(await FileBlobStore(pool.data / "blobs").get(image.blob)) == pixels(undisturbed)


async def _until(queue: JobQueue, job: Job, state: JobState) -> None:
    async def look() -> bool:
        found = await queue.get(job.guild_id, job.id)
        return found is not None and found.state is state

    await eventually(look)
