"""A worker on a machine that has no file, memory or process left for a while."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from handlers.commands.context import AppContext
from handlers.registry import JOBS
from handlers.worker.heartbeat import Heartbeat
from handlers.worker.worker import Worker
from pipeline.supervisor import Supervisor
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.eventually import eventually
from tests.fakes import FakeDevice
from tests.handlers.worker.shifts import Shift


@dataclass(slots=True)
class Starved(FakeDevice):
    """A device whose process the machine does not start `refusals` times."""

    refusals: list[int] = field(default_factory=list)

    async def start(self) -> None:
        if self.refusals:
            number = self.refusals.pop(0)
            raise OSError(number, os.strerror(number))
        await FakeDevice.start(self)

    async def restart(self) -> None:
        await self.start()


@asynccontextmanager
async def _working(context: AppContext, device: FakeDevice, restart_seconds: float) -> AsyncIterator[Worker]:
    stop = asyncio.Event()
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS, devices=(device,),
        drain_seconds=0.0, restart_seconds=restart_seconds, supervisor=Supervisor(first_pause=0.001),
    )  # fmt: skip
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


@pytest.mark.parametrize("dies", [False, True])
async def test_a_device_is_started_as_soon_as_the_machine_can(context: AppContext, guild: Guild, *, dies: bool) -> None:
    """At the beginning, and after it died: what is missing may be missing for a while."""
    refusals = [errno.EMFILE, errno.ENOMEM, errno.EAGAIN, errno.ENFILE]
    device = Starved(eager=False, refusals=[] if dies else list(refusals))
    shift = Shift(context=context, guild=guild, device=device)
    job = await shift.enqueue()

    async with _working(context, device, restart_seconds=0.0) as worker:
        await shift.submitted(1)
        if dies:
            device.refusals = list(refusals)
            device.die()
            await shift.submitted(2)
        device.finish(device.submitted[-1])
        await shift.until(job, JobState.DONE)
        assert worker.troubles == {}
        assert worker.supervisor.failing == ()

    assert device.refusals == []


async def test_a_device_that_cannot_be_started_is_known_and_holds_up_no_stop(context: AppContext) -> None:
    """Its trouble is named for as long as it lasts."""
    device = Starved(refusals=[errno.EMFILE] * 99)

    async with _working(context, device, restart_seconds=60.0) as worker:

        async def troubles() -> dict[str, str]:
            return worker.troubles

        assert await eventually(troubles) == {"fake": "its process cannot be started (Too many open files)"}
    assert device.closed


async def test_a_heartbeat_that_dies_is_begun_again(
    context: AppContext, guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends it: a claim without signs of life would be another worker's within seconds."""
    begun, run = 0, Heartbeat.run

    async def dying(self: Heartbeat) -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise MemoryError
        await run(self)

    monkeypatch.setattr(Heartbeat, "run", dying)
    device = FakeDevice(eager=False)
    shift = Shift(context=context, guild=guild, device=device)
    job = await shift.enqueue()
    async with _working(context, device, restart_seconds=0.0):
        await shift.submitted(1)
        device.step(device.submitted[0], 1)

        async def stepped() -> bool:
            found = await context.queue.get(guild.id, job.id)
            return found is not None and found.step == 1

        await eventually(stepped)
    assert begun == 3
