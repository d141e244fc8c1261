"""The worker hands a device the pictures that a request is made from."""

import asyncio

import pytest

from handlers.context.context import Studio
from handlers.jobs.payloads import write_request
from handlers.worker.worker import Worker
from pipeline.requests.start_image import StartImage
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.eventually import eventually
from tests.fakes import FakeDevice, request
from tests.new_jobs import new_job


@pytest.mark.parametrize("kept", [True, False])
async def test_a_device_is_handed_the_pictures_that_a_request_is_made_from(
    studio: Studio, guild: Guild, kept: bool
) -> None:
    """By their keys; where one cannot be read the job is tried again later instead of being lost."""
    start, mask = await studio.blobs.put(b"a picture"), await studio.blobs.put(b"a mask")
    payload = write_request(request(start=StartImage(picture=start, mask=mask)))
    job = await studio.queue.enqueue(new_job(guild.id, payload=payload, blobs=(start, mask)))
    if not kept:
        await studio.blobs.delete(mask)
    device, stop = FakeDevice(), asyncio.Event()
    worker = Worker(
        name="worker", queue=studio.queue, blobs=studio.blobs, costs=studio.costs, devices=(device,), drain_seconds=0.0
    )
    running = asyncio.create_task(worker.run(stop))

    async def settled() -> bool:
        found = await studio.queue.get(guild.id, job.id)
        return found is not None and (found.state is JobState.DONE or found.error is not None)

    await eventually(settled)
    stop.set()
    await running

    handed = [dict(render.pictures) for render in device.submitted]
    assert handed == ([{start: b"a picture", mask: b"a mask"}] if kept else [])
