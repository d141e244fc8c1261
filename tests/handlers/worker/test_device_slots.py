"""What one device holds of a worker's jobs."""

import asyncio

import pytest

from handlers.commands.context import AppContext
from handlers.worker.device_slots import DeviceSlots
from handlers.worker.running_job import OpenJob
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobKind
from tests.fakes import FakeDevice, request
from tests.new_jobs import new_job

LONG = 20.0


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice(eager=False)


@pytest.fixture
def slots(device: FakeDevice) -> DeviceSlots:
    return DeviceSlots(device=device)


async def opened(context: AppContext, guild: Guild, count: int, kind: JobKind = JobKind.IMAGINE) -> OpenJob:
    await context.queue.enqueue(new_job(guild.id, kind=kind))
    claim = await context.queue.claim("worker")
    assert claim is not None
    return OpenJob(claim=claim, images=request(count=count).images(), missing=set(range(count)))


async def test_images_take_slots_until_they_are_made(context: AppContext, guild: Guild, slots: DeviceSlots) -> None:
    """Each one of its own, whatever job it is of."""
    two, three = await opened(context, guild, 2), await opened(context, guild, 3)
    slots.add(two)
    slots.add(three)
    assert slots.taken == 5

    three.finish(1, device_seconds=1.0)

    assert slots.taken == 4
    assert slots.find(three.ticket(2)) is three
    assert slots.find(three.ticket(1)) is None, "it is made"
    assert not slots.has_map


async def test_a_map_is_known_as_one(context: AppContext, guild: Guild, slots: DeviceSlots) -> None:
    slots.add(await opened(context, guild, 1, JobKind.DRAW_MAP))

    assert slots.has_map


async def test_what_is_cleared_leaves_the_device(
    context: AppContext, guild: Guild, slots: DeviceSlots, device: FakeDevice
) -> None:
    """But for what it has made already; other jobs stay."""
    job, other = await opened(context, guild, 2), await opened(context, guild, 1)
    slots.add(job)
    slots.add(other)
    job.finish(0, device_seconds=1.0)

    await slots.clear(job)
    await slots.clear(job)

    assert slots.jobs == (other,)
    assert set(device.cancelled) == {job.ticket(1)}


async def test_a_job_is_cancelled_once(
    context: AppContext, guild: Guild, slots: DeviceSlots, device: FakeDevice
) -> None:
    """However many beats say so before the device has answered; until then it keeps its slots."""
    job = await opened(context, guild, 2)
    slots.add(job)

    await slots.cancel(job)
    await slots.cancel(job)

    assert device.cancelled == [job.ticket(0), job.ticket(1)]
    assert slots.taken == 2


async def test_who_waits_is_woken_by_a_slot_that_gets_free(
    context: AppContext, guild: Guild, slots: DeviceSlots
) -> None:
    """And the wait for an empty device ends with its last job."""
    jobs = [await opened(context, guild, 1) for _ in range(2)]
    for job in jobs:
        slots.add(job)

    await asyncio.wait_for(asyncio.gather(slots.wait(asyncio.Event(), 10 * LONG), slots.clear(jobs[0])), LONG)
    assert slots.jobs == (jobs[1],)
    await asyncio.wait_for(asyncio.gather(slots.wait_until_empty(), slots.clear(jobs[1])), LONG)


async def test_a_stop_ends_the_wait(slots: DeviceSlots) -> None:
    stop = asyncio.Event()
    stop.set()

    await asyncio.wait_for(slots.wait(stop, 10 * LONG), LONG)
