"""The worker, on a real queue and a device that does what the test tells it."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.requests.device_messages import Faulted, Refused
from pipeline.requests.start_image import StartImage
from storage.blobs import FileBlobStore
from storage.errors import disk_error
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind, JobState, NewJob
from storage.queue.reply_address import ReplyAddress
from tests.eventually import eventually
from tests.fakes import FakeClock, FakeDevice, request
from tests.new_jobs import new_job

_PATIENCE = 20.0


async def _enqueue(context: AppContext, guild: Guild, *, member: str = "ada", count: int = 1, seed: int = 7) -> int:
    job = await context.queue.enqueue(
        NewJob(
            guild_id=guild.id,
            member_id=member,
            member_name=member,
            kind=JobKind.IMAGINE,
            payload=REQUEST.write(request(count=count, seed=seed)),
            reply=ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id=member),
            cost_key="pocket",
            cost_units=1.0,
        )
    )
    return job.id


async def _until(context: AppContext, guild: Guild, job_id: int, what: Callable[[Job], bool]) -> Job:
    """The job, once `what` is true of it."""

    async def look() -> Job | None:
        job = await context.queue.get(guild.id, job_id)
        return job if job and what(job) else None

    return await eventually(look)


async def _submitted(device: FakeDevice, count: int) -> None:
    async def look() -> bool:
        return len(device.submitted) >= count

    await eventually(look)


@asynccontextmanager
async def _working(
    context: AppContext, device: FakeDevice, *, images_at_once: int = 4, restart_seconds: float = 1.0
) -> AsyncIterator[Worker]:
    stop = asyncio.Event()
    worker = Worker(
        name="worker",
        queue=context.queue,
        blobs=context.blobs,
        costs=context.costs,
        jobs=JOBS,
        devices=(device,),
        images_at_once=images_at_once,
        drain_seconds=0.0,
        restart_seconds=restart_seconds,
    )
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(task, _PATIENCE)


async def test_a_job_is_rendered_recorded_and_done(context: AppContext, guild: Guild) -> None:
    """Two images, seeds counting up, their bytes in the blob store, the device time summed."""
    job_id = await _enqueue(context, guild, count=2, seed=7)

    async with _working(context, FakeDevice()):
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.DONE)

    images = await context.queue.images(guild.id, job_id)
    assert [image.seed for image in images] == [7, 8]
    assert job.device_seconds == 2.0
    assert (await context.blobs.get(images[0].blob)).startswith(b"\x89PNG")
    assert "Seed: 7" in images[0].parameters


async def test_progress_and_preview_reach_the_jobs_row(context: AppContext, guild: Guild) -> None:
    """The chat side reads them there, whatever machine it runs on."""
    job_id = await _enqueue(context, guild, count=2)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        await _submitted(device, 2)
        device.step(device.submitted[0], 1, preview=b"small jpeg")
        job = await _until(context, guild, job_id, lambda job: job.step == 1)

    assert (job.steps, job.preview) == (4, b"small jpeg")


async def test_a_lost_device_is_started_again_and_loses_no_job(context: AppContext, guild: Guild) -> None:
    """What was recorded before stays; only the missing image is rendered again."""
    job_id = await _enqueue(context, guild, count=2)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        await _submitted(device, 2)
        device.finish(device.submitted[0])
        device.die()
        await _submitted(device, 3)
        device.finish(device.submitted[2])
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.DONE)

    assert device.starts == 2
    assert device.submitted[2].request.seed == device.submitted[1].request.seed
    assert len(await context.queue.images(guild.id, job.id)) == 2


async def test_a_device_that_dies_of_the_same_job_each_time_is_not_fed_it_for_ever(
    context: AppContext, guild: Guild
) -> None:
    """After its attempts the job fails with a sentence for the member."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        for attempt in (1, 2, 3):
            await _submitted(device, attempt)
            device.die()
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.FAILED)

    assert job.error == (
        "This made the device stop; it was tried 3 times. Change its options, or ask an admin to look at the log."
    )
    assert len(device.submitted) == 3


async def test_a_device_that_cannot_load_costs_no_job_an_attempt(context: AppContext, guild: Guild) -> None:
    """Jobs wait until somebody has mended it; meanwhile the worker tells why."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(bad_loads=4)

    async with _working(context, device, restart_seconds=0.0) as worker:
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.DONE)
        assert worker.troubles == {}

    assert (job.attempt, device.starts) == (1, 5)


async def test_a_trouble_is_named_while_it_lasts(context: AppContext) -> None:
    """Health and the command line show the device's own sentence."""
    async with _working(context, FakeDevice(bad_loads=99), restart_seconds=60.0) as worker:

        async def troubles() -> dict[str, str]:
            return worker.troubles

        assert await eventually(troubles) == {"fake": "The weights are damaged; pull the model again."}


async def test_a_refusal_is_final_and_its_sentence_is_kept(context: AppContext, guild: Guild) -> None:
    """No second attempt is wasted on what can never work."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        await _submitted(device, 1)
        device.say(Refused(ticket=device.submitted[0].ticket, sentence="Too large; try 1024x1024."))
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.FAILED)

    assert job.error == "Too large; try 1024x1024."
    assert job.attempt == 1


async def test_a_fault_of_ours_is_tried_again_after_a_pause(
    context: AppContext, guild: Guild, clock: FakeClock
) -> None:
    """The pause is the clock's, so nobody is hammered."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        await _submitted(device, 1)
        device.say(Faulted(ticket=device.submitted[0].ticket, why="a glitch"))
        await _until(context, guild, job_id, lambda job: job.state is JobState.QUEUED)
        assert len(device.submitted) == 1
        clock.advance(60)
        await _submitted(device, 2)
        device.finish(device.submitted[1])
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.DONE)

    assert job.attempt == 2


@pytest.mark.parametrize(
    ("out_of_memory", "sentence"),
    [(False, "because of a fault on our side; try again later."), (True, "not enough memory for the picture; ask for")],
)
async def test_the_last_fault_is_told(
    context: AppContext, guild: Guild, clock: FakeClock, *, out_of_memory: bool, sentence: str
) -> None:
    """For what it was: a smaller image may have memory enough."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        for attempt in (1, 2, 3):
            await _submitted(device, attempt)
            ticket = device.submitted[-1].ticket
            device.say(Faulted(ticket=ticket, why="a glitch", out_of_memory=out_of_memory))
            await _until(context, guild, job_id, lambda job: job.state is not JobState.RUNNING)
            clock.advance(60)
        job = await _until(context, guild, job_id, lambda job: job.state is JobState.FAILED)

    assert sentence in (job.error or "")


async def test_a_soft_stop_gives_running_jobs_back_uncounted(context: AppContext, guild: Guild) -> None:
    """A restart is not the member's failure."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)

    async with _working(context, device):
        await _submitted(device, 1)

    job = await context.queue.get(guild.id, job_id)
    assert job is not None
    assert (job.state, job.attempt) == (JobState.QUEUED, 0)
    assert device.closed


async def test_a_soft_stop_lets_an_image_finish_that_is_nearly_there(context: AppContext, guild: Guild) -> None:
    """Within the drain time nothing is thrown away."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)
    stop = asyncio.Event()
    worker = Worker(
        name="worker",
        queue=context.queue,
        blobs=context.blobs,
        costs=context.costs,
        jobs=JOBS,
        devices=(device,),
        drain_seconds=_PATIENCE,
    )
    task = asyncio.create_task(worker.run(stop))

    await _submitted(device, 1)
    stop.set()
    device.finish(device.submitted[0])
    await asyncio.wait_for(task, _PATIENCE)

    job = await context.queue.get(guild.id, job_id)
    assert job is not None
    assert job.state is JobState.DONE


@pytest.mark.parametrize("already_stopping", [True, False])
async def test_a_worker_in_a_hurry_waits_for_no_image(
    context: AppContext, guild: Guild, already_stopping: bool
) -> None:
    """Whether it stops already or only then, the image goes back to the queue, its attempt not counted."""
    job_id = await _enqueue(context, guild)
    device = FakeDevice(eager=False)
    async with _working(context, device) as worker:
        worker.drain_seconds = 2 * _PATIENCE
        await _submitted(device, 1)
        assert [job.id for job in worker.running] == [job_id]
        if already_stopping:
            asyncio.get_running_loop().call_later(0.05, worker.hurry)
        else:
            worker.hurry()

    job = await context.queue.get(guild.id, job_id)
    assert job is not None
    assert (job.state, job.attempt) == (JobState.QUEUED, 0)


async def test_a_device_holds_no_more_than_its_share(context: AppContext, guild: Guild) -> None:
    """What one device cannot start yet stays in the queue, for others."""
    for _ in range(5):
        await _enqueue(context, guild)
    device = FakeDevice(eager=False)

    async with _working(context, device, images_at_once=2):
        await _submitted(device, 2)
        queued = await context.queue.guild_jobs(guild.id, states=(JobState.QUEUED,))
        assert len(queued) == 3
        device.finish(device.submitted[0])
        await _submitted(device, 3)

    assert len(device.submitted) == 3


async def test_a_full_disk_costs_a_retry_not_the_job(
    context: AppContext, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """The image is rendered again once there is room."""
    job_id = await _enqueue(context, guild)
    disk = FullDisk(tmp_path / "blobs")

    async with _working(replace(context, blobs=disk), FakeDevice()):
        await _until(context, guild, job_id, lambda job: job.state is JobState.QUEUED and job.attempt == 1)
        disk.has_room = True
        clock.advance(60)
        await _until(context, guild, job_id, lambda job: job.state is JobState.DONE)


class FullDisk(FileBlobStore):
    """A blob store without room until a test makes some."""

    has_room = False

    async def put(self, data: bytes) -> str:
        if not self.has_room:
            raise disk_error(OSError(errno.ENOSPC, "No space left on device"), "the blob folder")
        return await super().put(data)


@pytest.mark.parametrize("kept", [True, False])
async def test_a_device_is_handed_the_images_that_a_request_is_made_from(
    context: AppContext, guild: Guild, kept: bool
) -> None:
    """By their keys; where one cannot be read the job is tried again later instead of being lost."""
    start, mask = await context.blobs.put(b"a picture"), await context.blobs.put(b"a mask")
    payload = REQUEST.write(request(start=StartImage(image=start, mask=mask)))
    job = await context.queue.enqueue(new_job(guild.id, payload=payload, blobs=(start, mask)))
    if not kept:
        await context.blobs.delete(mask)
    device, stop = FakeDevice(), asyncio.Event()
    worker = Worker(
        name="worker",
        queue=context.queue,
        blobs=context.blobs,
        costs=context.costs,
        jobs=JOBS,
        devices=(device,),
        drain_seconds=0.0,
    )
    running = asyncio.create_task(worker.run(stop))

    async def settled() -> bool:
        found = await context.queue.get(guild.id, job.id)
        return found is not None and (found.state is JobState.DONE or found.error is not None)

    await eventually(settled)
    stop.set()
    await running

    handed = [dict(render.images) for render in device.submitted]
    assert handed == ([{start: b"a picture", mask: b"a mask"}] if kept else [])
