"""A device that dies with several jobs: each is tried where it harms nobody, and only the culprit pays."""

import asyncio

import pytest

from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.registry import JOBS
from handlers.worker.device_slots import DeviceSlots
from handlers.worker.isolation import Isolation
from handlers.worker.worker import Worker
from pipeline.requests.device_messages import Order
from storage.guilds.guilds import Guild
from storage.queue.jobs import Died, Done, JobState
from tests.eventually import eventually
from tests.fakes import FakeDevice, request
from tests.new_jobs import new_job

BAD = "the culprit"


class FragileDevice(FakeDevice):
    """Dies of a prompt as soon as it holds that, and with it whatever else it holds; else it is slow on its first."""

    held: set[str]
    together: list[set[str]]

    def __init__(self, name: str = "fake", waits_for: int = 1) -> None:
        super().__init__(name=name, eager=False)
        self.held, self.together, self.waits_for = set(), [], waits_for

    async def submit(self, order: Order) -> None:
        await super().submit(order)
        render = self.submitted[-1]
        self.held.add(render.request.prompt)
        if len(self.submitted) < self.waits_for:
            return
        self.together.append(set(self.held))
        if BAD in self.held:
            self.held.clear()
            self.die()
            return
        for waiting in reversed(self.submitted):
            if waiting.request.prompt in self.held:
                self.held.discard(waiting.request.prompt)
                self.finish(waiting)


@pytest.mark.parametrize("count", [2, 4, 9])
async def test_the_innocent_finish_and_the_culprit_alone_loses_attempts(
    count: int, context: AppContext, guild: Guild
) -> None:
    """Whatever the number, nobody else has used an attempt for it."""
    prompts = [BAD, *(f"innocent {number}" for number in range(1, count))]
    jobs = [
        await context.queue.enqueue(new_job(guild.id, f"member {number}", payload=REQUEST.write(request(prompt))))
        for number, prompt in enumerate(prompts)
    ]
    device, stop = FragileDevice(waits_for=count), asyncio.Event()
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS, devices=(device,),
        images_at_once=count, drain_seconds=0.0, restart_seconds=0.0,
    )  # fmt: skip
    running = asyncio.create_task(worker.run(stop))

    async def ended() -> bool:
        found = [await context.queue.get(guild.id, job.id) for job in jobs]
        return all(job is not None and job.finished_at for job in found)

    await eventually(ended)
    stop.set()
    await running

    culprit, *innocent = [await context.queue.get(guild.id, job.id) for job in jobs]
    assert culprit is not None
    assert (culprit.state, culprit.attempt) == (JobState.FAILED, 3)
    assert [(job.state, job.attempt) for job in innocent if job] == [(JobState.DONE, 1)] * (count - 1)
    assert device.together[0] == set(prompts)
    assert device.together.count({BAD}) == 3


async def test_suspects_do_not_wait_for_ever_on_a_busy_device(context: AppContext, guild: Guild) -> None:
    """The device takes nothing else until they are done, and goes on with the rest then."""
    device, stop = FakeDevice(eager=False), asyncio.Event()
    for prompt in ("one", "two", "three"):
        await context.queue.enqueue(new_job(guild.id, payload=REQUEST.write(request(prompt))))
    worker = Worker(
        name="worker", queue=context.queue, blobs=context.blobs, costs=context.costs, jobs=JOBS, devices=(device,),
        images_at_once=2, drain_seconds=0.0, restart_seconds=0.0,
    )  # fmt: skip
    running = asyncio.create_task(worker.run(stop))

    async def submitted(count: int) -> bool:
        return len(device.submitted) >= count

    await eventually(lambda: submitted(2))
    device.die()
    for number in (3, 4, 5):
        await eventually(lambda number=number: submitted(number))  # type: ignore[misc]  # bound at once
        assert len(device.submitted) == number
        device.finish(device.submitted[-1])
    stop.set()
    await running

    assert [render.request.prompt for render in device.submitted] == ["one", "two", "one", "two", "three"]


async def test_a_prepared_job_waits_for_the_suspects_and_not_they_for_it(context: AppContext, guild: Guild) -> None:
    """It comes to a device that is kept for them, and begins once the last of them has ended."""
    suspect = await context.queue.enqueue(new_job(guild.id))
    claim = await context.queue.claim("worker")
    assert claim is not None
    await context.queue.settle(claim, Died(jobs=1, alone=True))
    prepared = await context.queue.enqueue(new_job(guild.id))
    isolation = Isolation(queue=context.queue, worker="worker", ready={"fake"})
    slots, stop = DeviceSlots(device=FakeDevice()), asyncio.Event()
    (again,) = await isolation.claim(slots)
    assert again.job.id == suspect.id

    entering = asyncio.create_task(isolation.enter(slots, prepared, stop, waits=True))
    await asyncio.sleep(0)
    assert not entering.done()
    await context.queue.settle(again, Done(device_seconds=1.0))
    assert await isolation.claim(slots) == []

    slots.wake()
    assert await asyncio.wait_for(entering, 5)
