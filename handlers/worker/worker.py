"""Claims jobs in fair order, feeds them to the devices, records progress and output."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, assert_never

from handlers.jobs.job_spec import JobSpecs
from handlers.jobs.payloads import read_request
from handlers.jobs.preparation import Preparation, Preparations
from handlers.worker.device import Device
from handlers.worker.preemption import choose_preempted
from handlers.worker.prefetch import Prefetch
from handlers.worker.running_job import OpenJob, index_of
from pipeline.requests.device_messages import (
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
from pipeline.requests.image_request import ImageRequest
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.queue.claim import QUICK
from storage.queue.job_queue import Claim, ClaimStatus, JobQueue
from storage.queue.jobs import Cancelled, Done, GiveUp, Job, JobKind, Outcome, Retry
from storage.queue.step_costs import StepCosts

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.25
_BEAT_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 60.0
_MOST_DOUBLINGS: Final = 10
_FAULT: Final = "The picture could not be made because of a fault on our side; try again later."
_STOPPED: Final = "The device stopped while it made this picture; try again, with a smaller size if it stops again."


@dataclass(slots=True, kw_only=True)
class Worker:
    """One worker: `name` is unique among running workers, `images_at_once` bounds what one device holds.

    `drain_seconds` is how long a soft stop lets running images finish before it sets them aside, `suspend_seconds`
    how long it waits for that before it gives their jobs back all the same; `ready` holds the names of the devices that
    have loaded, `troubles` why others could not; `kinds` are the jobs that need more, and what prepares them.
    `restart_seconds` is the first pause before a device that could not load is tried again; it doubles.
    """

    name: str
    queue: JobQueue
    blobs: BlobStore
    costs: StepCosts
    jobs: JobSpecs
    devices: tuple[Device, ...]
    kinds: Mapping[JobKind, Preparation] = field(default_factory=dict)
    images_at_once: int = 4
    drain_seconds: float = 20.0
    suspend_seconds: float = 5.0
    restart_seconds: float = 1.0
    ready: set[str] = field(default_factory=set)
    troubles: dict[str, str] = field(default_factory=dict)
    _failed_loads: dict[str, int] = field(default_factory=dict)
    _open: dict[str, dict[int, OpenJob]] = field(default_factory=dict)
    _room: dict[str, asyncio.Event] = field(default_factory=dict)
    _prefetch: Prefetch = field(init=False)
    _preparations: Preparations = field(init=False)

    def __post_init__(self) -> None:
        self._prefetch = Prefetch(queue=self.queue, depth=self.images_at_once)
        self._preparations = Preparations(queue=self.queue, blobs=self.blobs, kinds=self.kinds)

    @property
    def is_busy(self) -> bool:
        """Whether any device has images to make."""
        return any(self._open.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let running images finish or give them back, uncounted."""
        for device in self.devices:
            self._open[device.name] = {}
            self._room[device.name] = asyncio.Event()
            await device.start()
        background = [asyncio.create_task(self._beat_until_cancelled())]
        background += [asyncio.create_task(self._listen(device)) for device in self.devices]
        try:
            await asyncio.gather(*(self._feed(device, stop) for device in self.devices))
            await self._drain()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            for device in self.devices:
                await device.close()

    async def _feed(self, device: Device, stop: asyncio.Event) -> None:
        """Claim for one device whenever it has room; while it has none, tell it what is next."""
        while not stop.is_set():
            try:
                if (claim := await self._claim(device)) is not None:
                    await self._begin(device, claim)
                    continue
                if device.name in self.ready and not self._has_room(device):
                    await self._preempt(device, await self._prefetch.tell(device))
            except Exception:
                _log.exception("claiming failed; the next round tries again")
            await self._wait_for_room(device, stop)

    async def _claim(self, device: Device) -> Claim | None:
        """The next job, if there is room for it; else a map, one at a time, so that images go on between two."""
        if self._has_room(device):
            return await self.queue.claim(self.name)
        if device.name in self.ready and not any(job.is_map for job in self._open[device.name].values()):
            return await self.queue.claim(self.name, QUICK)
        return None

    async def _preempt(self, device: Device, upcoming: tuple[Job, ...]) -> None:
        """Let the first of `upcoming` have the slot of a job that can wait, if there is one."""
        job = choose_preempted(self._open[device.name].values(), upcoming)
        # Claimed while the other still counts as served, which is why the fair order puts this one first.
        if job is None or (claim := await self.queue.claim(self.name)) is None:
            return
        job.leaving = True
        await self._suspend(device, job)
        await self._begin(device, claim)

    async def _suspend(self, device: Device, job: OpenJob) -> None:
        for ticket in job.tickets():
            await device.suspend(ticket)

    async def _wait_for_room(self, device: Device, stop: asyncio.Event) -> None:
        """Until an image ends, a stop is asked for, or it is time to look at the queue again."""
        room = self._room[device.name]
        room.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (room, stop)]
        _, unfinished = await asyncio.wait(waits, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in unfinished:
            wait.cancel()

    def _has_room(self, device: Device) -> bool:
        """Whether a claim can begin at once: a job must not lose attempts to a device that cannot load."""
        held = sum(len(job.missing) for job in self._open[device.name].values())
        return device.name in self.ready and held < self.images_at_once

    async def _begin(self, device: Device, claim: Claim) -> None:
        if claim.job.kind in self.kinds:
            self._preparations.begin(claim, partial(self._render, device, claim))
        else:
            await self._render(device, claim, read_request(claim.job.payload))

    async def _render(self, device: Device, claim: Claim, request: ImageRequest) -> None:
        job = claim.job
        images = self.jobs[job.kind].images(request)
        recorded = {image.index for image in await self.queue.images(job.guild_id, job.id)}
        missing = set(range(len(images))) - recorded
        snapshot = {image.index: image.data for image in await self.queue.snapshot(claim)}
        try:
            handed = {key: await self.blobs.get(key) for image in images for key in image.image_keys}
        except StorageError:
            _log.exception("a picture to begin with cannot be read", extra=job.log_context())
            await self.queue.settle(claim, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
            return
        opened = OpenJob(claim=claim, images=images, missing=missing, snapshot=snapshot, handed=handed)
        _log.info("claimed", extra=job.log_context())
        self._open[device.name][job.id] = opened
        if not missing:
            await self._finish(device, opened)
        for order in opened.orders():
            await device.submit(order)

    async def _listen(self, device: Device) -> None:
        async for event in device.events():
            try:
                await self._take(device, event)
            except Exception:
                _log.exception("an answer of %s could not be recorded", device.name)
                await self._give_back_after_error(device, event)

    async def _take(self, device: Device, event: Event) -> None:
        match event:
            case Ready():
                self.ready.add(device.name)
                self.troubles.pop(device.name, None)
                self._failed_loads[device.name] = 0
                self._room[device.name].set()
                _log.info("device %s is ready: %s", device.name, event.description)
                await self.costs.put(event.costs)
            case Lost():
                await self._lost(device, event.why)
            case Stepped() | Rendered() | Refused() | Faulted() | Dropped() | Suspended():
                job = self._find(device, event.ticket)
                if job is not None:
                    await self._take_for(device, job, event)
            case _:
                assert_never(event)

    async def _take_for(
        self, device: Device, job: OpenJob, event: Stepped | Rendered | Refused | Faulted | Dropped | Suspended
    ) -> None:
        match event:
            case Stepped():
                job.note(index_of(event.ticket), event)
            case Rendered():
                await self._record(device, job, event)
            case Refused():
                await self._settle(device, job, GiveUp(sentence=event.sentence))
            case Faulted():
                _log.error("device %s faulted: %s", device.name, event.why, extra=job.claim.job.log_context())
                if job.snapshot:
                    # What it went on from may be what is at fault.
                    await self.queue.resume(job.claim)
                await self._settle(device, job, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
            case Dropped():
                await self._settle(device, job, Cancelled())
            case Suspended():
                job.suspend(index_of(event.ticket), event.snapshot)
                if job.is_suspended:
                    await self._give_back(device, job)
            case _:
                assert_never(event)

    async def _record(self, device: Device, job: OpenJob, rendered: Rendered) -> None:
        image = job.row_of(rendered, await self.blobs.put(rendered.png))
        await self.queue.record_image(job.claim, image)
        job.finish(image.index, rendered.device_seconds)
        if not job.missing:
            await self._finish(device, job)
        elif job.is_suspended:
            await self._give_back(device, job)
        self._room[device.name].set()

    async def _finish(self, device: Device, job: OpenJob) -> None:
        """All images are recorded; some kinds of job still want their sheet."""
        outcome: Outcome = Done(device_seconds=job.device_seconds)
        if (record_sheet := self.jobs[job.claim.job.kind].record_sheet) is not None:
            try:
                await record_sheet(job.claim, self.queue, self.blobs)
            except StorageError:
                _log.exception("the sheet could not be recorded", extra=job.claim.job.log_context())
                outcome = Retry(after_seconds=_RETRY_SECONDS, why=_FAULT)
        await self._settle(device, job, outcome)

    async def _settle(self, device: Device, job: OpenJob, outcome: Outcome) -> None:
        """End the claim with `outcome` and take what is left of the job off the device."""
        settled = await self.queue.settle(job.claim, outcome)
        words = type(outcome).__name__.lower() if settled else "claim lost"
        _log.info(words, extra=job.claim.job.log_context())
        await self._forget(device, job)

    async def _forget(self, device: Device, job: OpenJob) -> None:
        self._open[device.name].pop(job.claim.job.id, None)
        self._room[device.name].set()
        for ticket in job.tickets():
            await device.cancel(ticket)

    async def _lost(self, device: Device, why: str) -> None:
        """The device is gone: its jobs go back, one attempt used, and it is started again."""
        _log.error("device %s is lost: %s", device.name, why)
        for job in list(self._open[device.name].values()):
            self._open[device.name].pop(job.claim.job.id)
            await self._save_snapshots(job)
            await self.queue.settle(job.claim, Retry(after_seconds=0.0, why=_STOPPED))
        if device.name not in self.ready:
            await self._pause_before_another_load(device, why)
        self.ready.discard(device.name)
        self._prefetch.forget(device)
        await device.restart()
        self._room[device.name].set()

    async def _pause_before_another_load(self, device: Device, why: str) -> None:
        """A device that cannot load is tried ever more seldom; a person may mend it meanwhile."""
        self.troubles[device.name] = why
        failed = self._failed_loads.get(device.name, 0)
        self._failed_loads[device.name] = failed + 1
        await asyncio.sleep(min(_LONGEST_PAUSE, self.restart_seconds * 2 ** min(failed, _MOST_DOUBLINGS)))

    async def _give_back_after_error(self, device: Device, event: Event) -> None:
        """When recording failed (a full disk, an unreachable database) the job is tried again later."""
        job = None if isinstance(event, Ready | Lost) else self._find(device, event.ticket)
        if job is not None:
            with contextlib.suppress(Exception):  # the database itself may be what fails; rescue finds the job then
                await self.queue.settle(job.claim, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
            await self._forget(device, job)

    def _find(self, device: Device, ticket: str) -> OpenJob | None:
        return next((job for job in self._open[device.name].values() if ticket in job.tickets()), None)

    async def _beat_until_cancelled(self) -> None:
        while True:
            try:
                await self._beat()
            except Exception:
                _log.exception("the heartbeat failed; the next one tries again")
            await asyncio.sleep(_BEAT_SECONDS)

    async def _beat(self) -> None:
        """Tell the queue that we live and how far each job is; hear what was cancelled or taken from us."""
        held = self._held()
        beats = [job.beat() for _, job in held]
        standings = await self.queue.heartbeat(self.name, [*beats, *self._preparations.beats()])
        await self._preparations.hear(standings)
        for (device, job), beat in zip(held, beats, strict=True):
            match standings.get(job.claim.job.id, ClaimStatus.LOST):
                case ClaimStatus.HELD:
                    job.mark_saved(beat.snapshot)
                case ClaimStatus.CANCEL:
                    await self._cancel(device, job)
                case ClaimStatus.LOST:
                    await self._forget(device, job)

    async def _cancel(self, device: Device, job: OpenJob) -> None:
        if job.cancelled:
            return
        job.cancelled = True
        for ticket in job.tickets():
            await device.cancel(ticket)

    def _held(self) -> list[tuple[Device, OpenJob]]:
        return [(device, job) for device in self.devices for job in self._open[device.name].values()]

    async def _drain(self) -> None:
        """Let running images finish, then set the rest aside; their jobs go back, the attempt not counted."""
        await self._preparations.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.drain_seconds):
                await self._wait_until_empty()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.suspend_seconds):
                for device, job in self._held():
                    await self._suspend(device, job)
                await self._wait_until_empty()
        for device, job in self._held():
            await self._give_back(device, job)

    async def _give_back(self, device: Device, job: OpenJob) -> None:
        await self._save_snapshots(job)
        await self.queue.release(job.claim)
        _log.info("given back", extra=job.claim.job.log_context())
        await self._forget(device, job)

    async def _save_snapshots(self, job: OpenJob) -> None:
        """Keep what has not gone with a beat; where that fails, only time is lost."""
        try:
            if snapshot := job.unsaved():
                await self.queue.suspend(job.claim, snapshot)
        except Exception:
            _log.exception("its snapshots are lost", extra=job.claim.job.log_context())

    async def _wait_until_empty(self) -> None:
        for device in self.devices:
            while self._open[device.name]:
                self._room[device.name].clear()
                await self._room[device.name].wait()
