"""The engine: one verb, `step`, takes every image in flight one denoising step further."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from pipeline.engine.batch_scheduler import Batch, BatchScheduler
from pipeline.engine.batch_step import advance, fits
from pipeline.engine.calibration import calibrate
from pipeline.engine.engine_request import EngineJob
from pipeline.engine.inpaint_canvas import NO_IMAGES
from pipeline.engine.loaded_model import LoadedModel
from pipeline.engine.model_cache import ModelCache
from pipeline.engine.outgoing_events import OutgoingEvents, failure
from pipeline.engine.snapshot import Snapshot
from pipeline.engine.step_report import StepReport
from pipeline.errors import UserError
from pipeline.models.device_timer import Span
from pipeline.models.hardware import DeviceBroken, DeviceExhausted, Hardware
from pipeline.requests.batch_key import BatchKey, Shape
from pipeline.requests.device_messages import Dropped, Event, Faulted, Ready, Refused, Rendered, Suspended
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, smaller_sizes
from pipeline.requests.step_cost import StepCost, best_rows

_log = logging.getLogger(__name__)
# How long a device with nothing else to do waits for a LoRA before it listens for commands again.
_PATIENCE_SECONDS = 0.02


class Engine:
    """Renders many requests at once on one device.

    Requests join at the next step and leave when their own steps are done, whatever the others' timesteps, schedulers,
    guidance or seeds. What goes wrong with a request is an event, and ends no other.

    Args:
        spec: the device, its models and its limits.

    Raises:
        UserError: the device or its first model cannot be had.
    """

    def __init__(self, spec: DeviceSpec) -> None:
        if spec.threads is not None:
            torch.set_num_threads(spec.threads)
        self._spec = spec
        self._hardware = Hardware.choose(spec.device)
        self._cache = ModelCache(spec, self._hardware)
        self._jobs: dict[str, EngineJob] = {}
        self._scheduler = BatchScheduler(spec.max_rows, self._rows_worth, self._compiles, self._page_rows)
        self._costs: dict[str, tuple[StepCost, ...]] = {}
        self._arriving: deque[str] = deque()
        self._finished: deque[str] = deque()
        self._behind: Span | None = None
        self._doubted: LoadedModel | None = None
        self._outgoing = OutgoingEvents()
        self._outgoing.put(self._ready())

    @property
    def idle(self) -> bool:
        """Whether `step` would find nothing to do or say."""
        return not self._jobs and self._outgoing.empty

    def admit(
        self,
        ticket: str,
        request: ImageRequest,
        snapshot: bytes | None = None,
        images: Mapping[str, bytes] = NO_IMAGES,
    ) -> None:
        """Take a request in; `step` answers it with events.

        Args:
            ticket: what its events carry.
            request: one image.
            snapshot: where an earlier device suspended it; a damaged one is ignored, and the image starts again.
            images: the bytes of the images that it is made from, by key.
        """
        job = self._jobs[ticket] = EngineJob(ticket=ticket, request=request, images=images)
        with self._answering_for(job):
            self._cache.facts(request.model).check(request)
            job.snapshot = _snapshot(ticket, snapshot)
            self._arriving.append(ticket)
            self.expect(request)

    def expect(self, request: ImageRequest) -> None:
        """Load the LoRAs of a request that waits elsewhere, if its model is here already.

        Args:
            request: may never be admitted.
        """
        try:
            if model := self._cache.loaded.get(request.model):
                model.loras.want(request.loras)
        except Exception:
            _log.exception("the LoRAs of a request cannot be loaded in advance")

    def cancel(self, ticket: str) -> None:
        """Forget a request; answered by Dropped.

        Args:
            ticket: of the request; one that has ended or is unknown is ignored.
        """
        if self._outgoing.withdraw(ticket) or ticket in self._jobs:
            self._end(Dropped(ticket=ticket))

    def suspend(self, ticket: str) -> None:
        """Release an unfinished image; answered by Suspended with its snapshot. An image that only waits to be decoded
        or written is finished instead.

        Args:
            ticket: of the request; one that has ended or is unknown is ignored.
        """
        if ticket in self._jobs and ticket not in self._finished:
            job = self._jobs[ticket]
            with self._answering_for(job):
                snapshot = Snapshot.of(job.rendering, job.group).to_bytes() if job.rendering else None
                self._end(Suspended(ticket=ticket, snapshot=snapshot))

    def step(self) -> list[Event]:
        """Advance every image of the group whose turn it is by one denoiser call, and decode at most one finished
        image.

        Returns:
            What has happened since the last step.

        Raises:
            DeviceBroken: the device computes nothing any more.
            DeviceExhausted: not even the smallest image fits in the device's memory.
        """
        self._check_device()
        for model in self._cache.loaded.values():
            model.benchmark()
        self._admit_waiting()
        self._encode()
        if batch := self._scheduler.next():
            self._denoise(batch)
        self._decode()
        return self._taken()

    def _taken(self) -> list[Event]:
        """The events that are complete; waits a moment for one if there is nothing else to do."""
        events = self._outgoing.take(0.0 if self._jobs else _PATIENCE_SECONDS)
        for event in events:
            if isinstance(event, Refused | Faulted) and event.ticket in self._jobs:
                self._forget(event.ticket)
        return events

    def _admit_waiting(self) -> None:
        """Pass on the requests whose model and LoRAs are on the device; wait only if there is nothing else to do."""
        timeout = 0.0 if self._scheduler.keys or self._finished else _PATIENCE_SECONDS
        for ticket in list(self._arriving):
            job = self._jobs[ticket]
            with self._answering_for(job):
                if job.loaded is None and not self._cache.want(job.request.model, self._busy_models()):
                    # Later requests may not overtake, or a busy model would never be released for this one.
                    return
                job.loaded = job.loaded or self._cache.take(job.request.model, timeout)
                if job.loaded is None or not job.acquire(timeout):
                    continue
                self._scheduler.enter(job.candidate())
                self._arriving.remove(ticket)

    def _incoming(self) -> dict[Shape, int]:
        """The rows of arriving requests whose LoRAs are still loading."""
        rows: dict[Shape, int] = {}
        for job in (self._jobs[ticket] for ticket in self._arriving):
            if job.shape is not None:
                rows[job.shape] = rows.get(job.shape, 0) + job.rows
        return rows

    def _busy_models(self) -> set[str]:
        return {job.request.model for job in self._jobs.values() if job.loaded is not None}

    def _encode(self) -> None:
        """Encode the requests that have just got their first slot."""
        for ticket, slot in self._scheduler.assign(self._incoming()).items():
            job = self._jobs[ticket]
            if self._scheduler.slot_of(ticket) != slot:
                continue  # its group was halved because memory was short; it gets another slot
            with self._answering_for(job), self._charging([job]):
                if not fits(lambda job=job, slot=slot: job.assign(slot)):  # type: ignore[misc]  # bound at once
                    self._make_room(slot.key)

    def _denoise(self, batch: Batch) -> None:
        """One call for the whole batch, then an event for each request; a finished one leaves its slot at once."""
        jobs = [self._jobs[ticket] for ticket in batch.tickets]
        with self._charging(jobs) as span:
            failures = advance(jobs, batch.key)
            if failures is None:
                self._make_room(batch.key)
                return
        if len(failures) == len(jobs) > 1:
            self._doubted = jobs[0].model
            self._check_device()
        for job in jobs:
            with self._answering_for(job):
                if cause := failures.get(job.ticket) or job.started.failure:
                    raise cause
                self._say(StepReport.of(job, self._spec))
                if job.started.sampler.finished:
                    job.leave()
                    self._scheduler.leave(job.ticket)
                    self._finished.append(job.ticket)
        self._keep_pace(span)

    def _check_device(self) -> None:
        """After a failure that may not be the request's own, see whether the device still makes a plain image.

        Raises:
            DeviceBroken: it does not.
        """
        if self._doubted is None or not self._jobs:
            return
        model, self._doubted = self._doubted, None
        try:
            model.try_step(model.plainest_request())
        except Exception as error:
            raise DeviceBroken(f"not even a plain image is made any more: {type(error).__name__}: {error}") from error

    def _page_rows(self, checkpoint: str) -> int:
        return self._cache.loaded[checkpoint].page_rows

    def _say(self, report: StepReport) -> None:
        if report.has_files:
            self._outgoing.write(report.step.ticket, report.event)
        else:
            self._outgoing.put(report.event())

    def _keep_pace(self, span: Span) -> None:
        """Let the device be one call behind the host and no more: neither waits for the other, and memory stays
        bounded.
        """
        if self._behind is not None:
            self._behind.wait()
        self._behind = span

    def _decode(self) -> None:
        """Decode at most one image, so that those in the middle of their steps wait for no more than that."""
        if not self._finished:
            return
        job = self._jobs[self._finished.popleft()]
        with self._answering_for(job):
            with self._charging([job]):
                image = job.model.finish(job.started, job.group)
            self._forget(job.ticket)
            self._outgoing.write(
                job.ticket, lambda: Rendered(ticket=job.ticket, png=image.png(), device_seconds=job.seconds)
            )

    def _ready(self) -> Ready:
        """Load the first model."""
        self._cache.want(self._cache.first, busy=())
        model = self._cache.take(self._cache.first, timeout=None)
        assert model is not None, "without a timeout the model arrives"
        facts, hardware = model.facts, self._hardware
        costs = self._costs[facts.name] = calibrate(model, hardware, self._spec)
        about = f"{facts.name} ({facts.parameters / 1e6:,.0f} M) on {hardware.name} in {hardware.dtype_name}"
        return Ready(description=about, costs=costs)

    def _rows_worth(self, shape: Shape) -> int:
        """The rows of a call beyond which another row costs as much as it brings."""
        pixels = shape.height * shape.width * self._cache.loaded[shape.checkpoint].scale_factor ** 2
        return best_rows(self._costs.get(shape.checkpoint, ()), pixels) or self._spec.max_rows

    def _compiles(self, key: BatchKey) -> bool:
        return self._cache.loaded[key.shape.checkpoint].compiles(key)

    def _make_room(self, key: BatchKey) -> None:
        """Halve a group that did not fit in memory, or refuse what is left; DeviceExhausted where no size would fit."""
        jobs = [self._jobs[ticket] for ticket in self._scheduler.tickets(key)]
        halved = self._scheduler.halve(key)
        for job in jobs if halved else ():
            job.leave()
        model = jobs[0].model
        model.forget(self._scheduler.keys)
        self._hardware.release_unused()
        if halved:
            _log.warning("out of memory at %d rows of %s; halved", key.bucket, key.shape)
            return
        for job in jobs:
            with self._answering_for(job):
                width, height = self._largest_fitting(model, job.request)
                size = f"{job.request.width}×{job.request.height}"
                ask = "ask for" if job.request.start is None else "send the picture at"
                raise UserError(f"{size} does not fit in this device's memory; {ask} {width}×{height} or smaller.")

    def _largest_fitting(self, model: LoadedModel, request: ImageRequest) -> tuple[int, int]:
        """The largest size of the request's proportions that does fit, found by trial."""
        for width, height in smaller_sizes(request.width, request.height):
            smaller = replace(request, width=width, height=height, loras=(), start=None, controls=())
            if fits(lambda smaller=smaller: model.try_step(smaller)):  # type: ignore[misc]  # bound at once
                return width, height
            self._hardware.release_unused()
        raise DeviceExhausted(f"out of memory at {request.width}×{request.height} and every smaller size")

    def _end(self, event: Dropped | Rendered | Refused | Faulted | Suspended) -> None:
        """Say the last event of a ticket and keep nothing of it."""
        if event.ticket in self._jobs:
            self._forget(event.ticket)
        self._outgoing.put(event)

    def _forget(self, ticket: str) -> None:
        """Keep nothing of a ticket but its events."""
        job = self._jobs.pop(ticket)
        for line in (self._arriving, self._finished):
            if ticket in line:
                line.remove(ticket)
        job.leave()
        self._scheduler.leave(ticket)
        if job.loaded is not None:
            job.loaded.loras.release(job.adapters)
            job.loaded.forget(self._scheduler.keys)

    @contextmanager
    def _charging(self, jobs: Sequence[EngineJob]) -> Iterator[Span]:
        """Charge the device's time for this block to `jobs`, each by its rows."""
        rows = sum(job.rows for job in jobs)
        with Span(self._hardware.device) as span:
            yield span
        for job in jobs:
            job.spans.append((span, job.rows / rows))

    @contextmanager
    def _answering_for(self, job: EngineJob) -> Iterator[None]:
        """End `job`, and it alone, if this block fails."""
        try:
            yield
        except DeviceBroken:
            raise
        except Exception as error:
            if not isinstance(error, UserError):
                # What one request meets may be the device's own failure, which the next step then finds.
                self._doubted = job.loaded or self._doubted
            self._end(failure(job.ticket, error))


def _snapshot(ticket: str, packed: bytes | None) -> Snapshot | None:
    try:
        return None if packed is None else Snapshot.from_bytes(packed)
    except ValueError:
        _log.warning("%s starts again from its first step: its snapshot is damaged", ticket)
        return None
