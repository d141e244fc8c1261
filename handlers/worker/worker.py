"""Claims jobs in fair order, feeds them to the devices, records progress and output."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, assert_never

from handlers.jobs.job_spec import JobSpecs
from handlers.jobs.payloads import REQUEST
from handlers.jobs.preparation import Preparation, Preparations
from handlers.worker.device import Device
from handlers.worker.device_slots import DeviceSlots
from handlers.worker.device_starts import DeviceStarts
from handlers.worker.heartbeat import Heartbeat
from handlers.worker.isolation import Isolation
from handlers.worker.preemption import choose_preempted
from handlers.worker.prefetch import Prefetch
from handlers.worker.running_job import OpenJob, index_of
from handlers.worker.silence import watch
from pipeline.error_log import ErrorLog
from pipeline.errors import without_places
from pipeline.images.image_process import ImageProcesses
from pipeline.requests.device_messages import (
    Alive,
    Dropped,
    Event,
    Faulted,
    Lost,
    Ready,
    Refused,
    Rendered,
    Stepped,
    Suspended,
)
from pipeline.requests.image_files import ImageFiles
from pipeline.requests.image_request import ImageRequest
from pipeline.supervisor import Supervisor
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.queue.claim import QUICK
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Cancelled, Died, Done, GiveUp, Job, JobKind, Outcome, Retry
from storage.queue.step_costs import StepCosts

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 5.0
_FAULT: Final = "The picture could not be made because of a fault on our side; try again later."
_NO_MEMORY: Final = "There was not enough memory for the picture; ask for a smaller one, or try again later."


@dataclass(slots=True, kw_only=True)
class Worker:
    """One worker: `name` is unique among running workers, `images_at_once` bounds what one device holds.

    `drain_seconds` is how long a soft stop lets running images finish before it sets them aside, `suspend_seconds`
    how long it waits for that before it gives their jobs back all the same; `ready` holds the names of the devices that
    have loaded, `troubles` why others could not; `kinds` are the jobs that need more, and what prepares them.
    `images` opens what the devices made, and so never waits for what members hand over.
    `restart_seconds` is the first pause before a device that could not load is tried again; it doubles.
    `silence_seconds` is how long a device with work may say nothing before it is ended like one that died.
    """

    name: str
    queue: JobQueue
    blobs: BlobStore
    costs: StepCosts
    jobs: JobSpecs
    devices: tuple[Device, ...]
    kinds: Mapping[JobKind, Preparation] = field(default_factory=dict)
    images: ImageProcesses = field(default_factory=ImageProcesses)
    images_at_once: int = 4
    drain_seconds: float = 20.0
    suspend_seconds: float = 5.0
    restart_seconds: float = 1.0
    silence_seconds: float = 600.0
    supervisor: Supervisor = field(default_factory=Supervisor)
    ready: set[str] = field(default_factory=set)
    troubles: dict[str, str] = field(default_factory=dict)
    _slots: tuple[DeviceSlots, ...] = field(init=False)
    _prefetch: Prefetch = field(init=False)
    _isolation: Isolation = field(init=False)
    _starts: DeviceStarts = field(init=False)
    _stop: asyncio.Event = field(init=False)
    _preparations: Preparations = field(init=False)
    _draining: asyncio.Timeout | None = None

    def __post_init__(self) -> None:
        self._slots = tuple(DeviceSlots(device=device) for device in self.devices)
        self._prefetch = Prefetch(queue=self.queue, depth=self.images_at_once)
        self._starts = DeviceStarts(restart_seconds=self.restart_seconds, troubles=self.troubles)
        self._isolation = Isolation(queue=self.queue, worker=self.name, ready=self.ready)
        self._preparations = Preparations(queue=self.queue, blobs=self.blobs, kinds=self.kinds)

    @property
    def is_busy(self) -> bool:
        """Whether any device has images to make."""
        return any(slots.jobs for slots in self._slots)

    @property
    def running(self) -> tuple[Job, ...]:
        """The jobs that are on its devices."""
        return tuple(job.claim.job for slots in self._slots for job in slots.jobs)

    def hurry(self) -> None:
        """Let no image be finished any more: they are set aside at once, now or when the worker stops."""
        self.drain_seconds = 0.0
        if self._draining is not None:
            self._draining.reschedule(asyncio.get_running_loop().time())

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let running images finish or give them back, uncounted."""
        self._stop = stop
        heartbeat = Heartbeat(name=self.name, queue=self.queue, slots=self._slots, preparations=self._preparations)
        begin = self.supervisor.start
        background = [begin("the heartbeat", heartbeat.run)]
        for slots in self._slots:
            name = slots.device.name
            background.append(begin(f"device {name}", partial(self._listen, slots)))
            background.append(begin(f"the watch of device {name}", partial(watch, slots, self.silence_seconds)))
        feeds = [
            begin(f"the queue of device {slots.device.name}", partial(self._feed, slots), stop) for slots in self._slots
        ]
        try:
            await asyncio.gather(*feeds)
            await self._drain()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            for device in self.devices:
                await device.close()

    async def _feed(self, slots: DeviceSlots) -> None:
        """Claim for one device whenever it has room; while it has none, tell it what is next."""
        errors = ErrorLog(_log)
        while not self._stop.is_set():
            try:
                if claims := await self._claim(slots):
                    for claim in claims:
                        await self._begin(slots, claim)
                    continue
                if slots.device.name in self.ready and not self._has_room(slots) and not self._isolation.keeps(slots):
                    await self._preempt(slots, await self._prefetch.tell(slots.device))
                errors.goes_well("claiming")
            except Exception as error:
                errors.note(error, "claiming failed; the next round tries again")
            await slots.wait(self._stop, _POLL_SECONDS)

    async def _claim(self, slots: DeviceSlots) -> list[Claim]:
        """Suspects, where there are any; or the next job, if there is room for it; else a map, one at a time, so that
        images go on between two.
        """
        if slots.device.name not in self.ready:
            return []
        if claims := await self._isolation.claim(slots):
            return claims
        claim: Claim | None = None
        if self._has_room(slots):
            claim = await self.queue.claim(self.name)
        elif not self._isolation.keeps(slots) and not slots.has_map:
            claim = await self.queue.claim(self.name, QUICK)
        return [claim] if claim else []

    async def _preempt(self, slots: DeviceSlots, upcoming: tuple[Job, ...]) -> None:
        """Let the first of `upcoming` have the slot of a job that can wait, if there is one."""
        job = choose_preempted(slots.jobs, upcoming)
        # Claimed while the other still counts as served, which is why the fair order puts this one first.
        if job is None or (claim := await self.queue.claim(self.name)) is None:
            return
        job.preempted = True
        await slots.suspend(job)
        await self._begin(slots, claim)

    def _has_room(self, slots: DeviceSlots) -> bool:
        """Whether a claim can begin at once: a job must not lose attempts to a device that cannot load."""
        free = slots.device.name in self.ready and not self._isolation.keeps(slots)
        return free and slots.taken < self.images_at_once

    async def _begin(self, slots: DeviceSlots, claim: Claim) -> None:
        """Start on a claimed job; what fails there is this job's alone."""
        try:
            if claim.job.kind in self.kinds:
                self._preparations.begin(claim, partial(self._render, slots, claim))
            else:
                await self._render(slots, claim, REQUEST.read(claim.job.payload))
        except Exception:
            _log.exception("a job cannot begin", extra=claim.job.log_context())
            await self.queue.settle(claim, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))

    async def _render(self, slots: DeviceSlots, claim: Claim, request: ImageRequest) -> None:
        job = claim.job
        images = self.jobs[job.kind].images(request)
        recorded = {image.index for image in await self.queue.images(job.guild_id, job.id)}
        missing = set(range(len(images))) - recorded
        snapshot = {image.index: image.data for image in await self.queue.snapshot(claim)}
        try:
            handed = ImageFiles({key: await self.blobs.file(key) for image in images for key in image.image_keys})
        except StorageError:
            _log.exception("a picture to begin with cannot be read", extra=job.log_context())
            await self.queue.settle(claim, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
            return
        opened = OpenJob(claim=claim, images=images, missing=missing, snapshot=snapshot, handed=handed)
        _log.info("claimed", extra=job.log_context())
        # Only what is prepared has a heartbeat while it waits.
        if not await self._isolation.enter(slots, job, self._stop, waits=job.kind in self.kinds):
            await self.queue.release(claim)
            return
        slots.add(opened)
        if not missing:
            await self._finish(slots, opened)
        for order in opened.orders():
            await slots.device.submit(order)

    async def _listen(self, slots: DeviceSlots) -> None:
        if not slots.started:
            await self._starts.start(slots, slots.device.start)
            slots.started = True
        async for event in slots.device.events():
            slots.hear()
            try:
                await self._take(slots, event)
            except Exception:
                _log.exception("an answer of %s could not be recorded", slots.device.name)
                await self._give_back_after_error(slots, event)

    async def _take(self, slots: DeviceSlots, event: Event) -> None:
        match event:
            case Ready():
                self.ready.add(slots.device.name)
                self.troubles.pop(slots.device.name, None)
                slots.failed_loads = 0
                slots.wake()
                _log.info("device %s is ready: %s", slots.device.name, event.description)
                await self.costs.put(event.costs)
            case Alive():
                pass
            case Lost():
                await self._lost(slots, event.why)
            case Stepped() | Rendered() | Refused() | Faulted() | Dropped() | Suspended():
                job = slots.find(event.ticket)
                if job is not None:
                    await self._take_for(slots, job, event)
            case _:
                assert_never(event)

    async def _take_for(
        self, slots: DeviceSlots, job: OpenJob, event: Stepped | Rendered | Refused | Faulted | Dropped | Suspended
    ) -> None:
        match event:
            case Stepped():
                job.note(index_of(event.ticket), event)
            case Rendered():
                await self._record(slots, job, event)
            case Refused():
                await self._settle(slots, job, GiveUp(sentence=without_places(event.sentence)))
            case Faulted():
                _log.error("device %s faulted: %s", slots.device.name, event.why, extra=job.claim.job.log_context())
                if job.snapshot:
                    # What it went on from may be what is at fault.
                    await self.queue.resume(job.claim)
                why = _NO_MEMORY if event.out_of_memory else _FAULT
                await self._settle(slots, job, Retry(after_seconds=_RETRY_SECONDS, why=why))
            case Dropped():
                await self._settle(slots, job, Cancelled())
            case Suspended():
                job.suspend(index_of(event.ticket), event.snapshot)
                if job.is_suspended:
                    await self._give_back(slots, job)
            case _:
                assert_never(event)

    async def _record(self, slots: DeviceSlots, job: OpenJob, rendered: Rendered) -> None:
        image = job.row_of(rendered, await self.blobs.put(rendered.png))
        await self.queue.record_image(job.claim, image)
        job.finish(image.index, rendered.device_seconds)
        if not job.missing:
            await self._finish(slots, job)
        elif job.is_suspended:
            await self._give_back(slots, job)
        slots.wake()

    async def _finish(self, slots: DeviceSlots, job: OpenJob) -> None:
        """All images are recorded; some kinds of job still want their sheet."""
        outcome: Outcome = Done(device_seconds=job.device_seconds)
        if (record_sheet := self.jobs[job.claim.job.kind].record_sheet) is not None:
            try:
                await record_sheet(job.claim, self.queue, self.blobs, self.images)
            except StorageError:
                _log.exception("the sheet could not be recorded", extra=job.claim.job.log_context())
                outcome = Retry(after_seconds=_RETRY_SECONDS, why=_FAULT)
        await self._settle(slots, job, outcome)

    async def _settle(self, slots: DeviceSlots, job: OpenJob, outcome: Outcome) -> None:
        """End the claim with `outcome` and take what is left of the job off the device."""
        settled = await self.queue.settle(job.claim, outcome)
        words = type(outcome).__name__.lower() if settled else "claim lost"
        _log.info(words, extra=job.claim.job.log_context())
        await slots.clear(job)

    async def _lost(self, slots: DeviceSlots, why: str) -> None:
        """The device is gone: its jobs go back as suspects, and it is started again."""
        jobs, was_ready = slots.jobs, slots.device.name in self.ready
        self.ready.discard(slots.device.name)
        _log.error("device %s is lost with %d jobs: %s", slots.device.name, len(jobs), why)
        died = Died(jobs=len(jobs), alone=len(jobs) == 1 and not self._prefetch.has_announced(slots.device))
        for job in jobs:
            slots.drop(job)
            await self._save_snapshots(job)
            try:
                await self.queue.settle(job.claim, died)
            except Exception:
                _log.exception("it is not given back before it is rescued", extra=job.claim.job.log_context())
        if not was_ready:
            await self._starts.pause(slots, why)
        self._prefetch.forget(slots.device)
        await self._starts.start(slots, slots.device.restart)
        slots.wake()

    async def _give_back_after_error(self, slots: DeviceSlots, event: Event) -> None:
        """When recording failed (a full disk, an unreachable database) the job is tried again later."""
        job = None if isinstance(event, Ready | Alive | Lost) else slots.find(event.ticket)
        if job is not None:
            with contextlib.suppress(Exception):  # the database itself may be what fails; rescue finds the job then
                await self.queue.settle(job.claim, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
            await slots.clear(job)

    async def _drain(self) -> None:
        """Let running images finish, then set the rest aside; their jobs go back, the attempt not counted."""
        await self._preparations.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.drain_seconds) as self._draining:
                await asyncio.gather(*(slots.wait_until_empty() for slots in self._slots))
        self._draining = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.suspend_seconds):
                for slots in self._slots:
                    for job in slots.jobs:
                        await slots.suspend(job)
                await asyncio.gather(*(slots.wait_until_empty() for slots in self._slots))
        for slots in self._slots:
            for job in slots.jobs:
                await self._give_back(slots, job)

    async def _give_back(self, slots: DeviceSlots, job: OpenJob) -> None:
        await self._save_snapshots(job)
        await self.queue.release(job.claim)
        _log.info("given back", extra=job.claim.job.log_context())
        await slots.clear(job)

    async def _save_snapshots(self, job: OpenJob) -> None:
        """Keep what has not gone with a beat; where that fails, only time is lost."""
        try:
            if snapshot := job.unsaved():
                await self.queue.suspend(job.claim, snapshot)
        except Exception:
            _log.exception("its snapshots are lost", extra=job.claim.job.log_context())
