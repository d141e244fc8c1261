"""The worker hands a device the images that a request is made from."""

import asyncio

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.payloads import write_request
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from pipeline.requests.start_image import StartImage
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.eventually import eventually
from tests.fakes import FakeDevice, request
from tests.new_jobs import new_job


@pytest.mark.parametrize("kept", [True, False])
async def test_a_device_is_handed_the_images_that_a_request_is_made_from(
    context: AppContext, guild: Guild, kept: bool
) -> None:
    """By their keys; where one cannot be read the job is tried again later instead of being lost."""
    start, mask = await context.blobs.put(b"a picture"), await context.blobs.put(b"a mask")
    payload = write_request(request(start=StartImage(image=start, mask=mask)))
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
