"""A full device sets a long job aside for a short one of a guild that has nothing there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.registry import JOBS
from handlers.worker.worker import Worker
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import Job, JobKind, JobState
from tests.eventually import eventually
from tests.fakes import FakeDevice, request
from tests.new_jobs import new_job

LONG, SHORT = 60.0, 5.0


@dataclass(slots=True, kw_only=True)
class Rivals:
    """Two guilds before one device with two slots."""

    context: AppContext
    heavy: Guild
    light: Guild
    device: FakeDevice = field(default_factory=lambda: FakeDevice(eager=False))

    async def enqueue(self, guild: Guild, seconds: float, **changes: Any) -> Job:
        payload = REQUEST.write(request(**changes))
        return await self.context.queue.enqueue(new_job(guild.id, units=seconds, payload=payload))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        worker = Worker(
            name="worker",
            queue=self.context.queue,
            blobs=self.context.blobs,
            costs=self.context.costs,
            jobs=JOBS,
            devices=(self.device,),
            images_at_once=2,
            drain_seconds=0.0,
        )
        task = asyncio.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def submitted(self, *prompts: str) -> None:
        """Wait until the device was given exactly these, in this order."""

        async def look() -> bool:
            return [render.request.prompt for render in self.device.submitted] == list(prompts)

        await eventually(look)

    async def looked_at(self, prompt: str) -> None:
        """Wait until the worker has thought about the job of that prompt."""

        async def look() -> bool:
            return prompt in {expected.prompt for expected in self.device.expected}

        await eventually(look)

    async def until(self, guild: Guild, job: Job, state: JobState) -> Job:
        async def look() -> Job | None:
            found = await self.context.queue.get(guild.id, job.id)
            return found if found and found.state is state else None

        return await eventually(look)


@pytest.fixture
async def rivals(context: AppContext, guild: Guild) -> Rivals:
    light = await context.guilds.ensure(Platform.DISCORD, "light", "Light")
    return Rivals(context=context, heavy=guild, light=light)


async def test_a_short_job_of_another_guild_takes_the_slot_of_a_long_one(rivals: Rivals) -> None:
    """At once; the long one goes on from the very step that it had reached, and no attempt of its is used."""
    long = await rivals.enqueue(rivals.heavy, LONG, prompt="long", count=2)
    rivals.device.to_suspend = {0: b"step 5", 1: b"step 6"}
    async with rivals.working():
        await rivals.submitted("long", "long")
        short = await rivals.enqueue(rivals.light, SHORT, prompt="short")
        await rivals.submitted("long", "long", "short", "long", "long")
        for render in rivals.device.submitted[2:]:
            rivals.device.finish(render)
        await rivals.until(rivals.light, short, JobState.DONE)
        finished = await rivals.until(rivals.heavy, long, JobState.DONE)
        assert (finished.attempt, finished.restarts) == (1, 1)

    assert [render.snapshot for render in rivals.device.submitted[-2:]] == [b"step 5", b"step 6"]


async def test_a_job_makes_room_once(rivals: Rivals) -> None:
    """However many short ones come."""
    await rivals.enqueue(rivals.heavy, LONG, prompt="long", count=2)
    async with rivals.working():
        await rivals.submitted("long", "long")
        await rivals.enqueue(rivals.light, SHORT, prompt="short")
        await rivals.submitted("long", "long", "short", "long", "long")
        rivals.device.finish(rivals.device.submitted[2])
        await rivals.enqueue(rivals.light, SHORT, prompt="second")
        await rivals.looked_at("second")
        await rivals.enqueue(rivals.heavy, SHORT, prompt="third")
        await rivals.looked_at("third")

    assert [render.request.prompt for render in rivals.device.submitted].count("second") == 0


async def test_a_longer_job_waits(rivals: Rivals) -> None:
    """Setting aside what is nearly done would help nobody."""
    await rivals.enqueue(rivals.heavy, SHORT, prompt="nearly done", count=2, steps=9)
    async with rivals.working():
        await rivals.submitted("nearly done", "nearly done")
        await rivals.enqueue(rivals.light, LONG, prompt="long")
        await rivals.looked_at("long")
        await rivals.enqueue(rivals.heavy, SHORT, prompt="next")
        await rivals.looked_at("next")

    assert len(rivals.device.submitted) == 2


async def test_a_guild_does_not_interrupt_itself(rivals: Rivals) -> None:
    """Its members take turns as their jobs end."""
    await rivals.enqueue(rivals.heavy, LONG, prompt="long", count=2)
    async with rivals.working():
        await rivals.submitted("long", "long")
        await rivals.enqueue(rivals.heavy, SHORT, prompt="short")
        await rivals.looked_at("short")
        await rivals.enqueue(rivals.light, 2 * LONG, prompt="longer")
        await rivals.looked_at("longer")

    assert len(rivals.device.submitted) == 2


async def test_what_needs_no_slot_interrupts_nobody(rivals: Rivals) -> None:
    """A file that waits to be added is made ready beside the devices."""
    await rivals.enqueue(rivals.heavy, LONG, prompt="long", count=2)
    async with rivals.working():
        await rivals.submitted("long", "long")
        file = await rivals.context.queue.enqueue(new_job(rivals.light.id, units=SHORT, kind=JobKind.ADD_LORA))
        await rivals.enqueue(rivals.heavy, SHORT, prompt="next")
        await rivals.looked_at("next")

        assert (await rivals.until(rivals.light, file, JobState.QUEUED)).id == file.id
    assert len(rivals.device.submitted) == 2
