"""Jobs that need something made ready before their image can go to a device."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from pipeline.errors import UserError, without_places
from pipeline.images.png_text import read_size
from pipeline.requests.image_request import ImageRequest
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.queue.images import NewImage
from storage.queue.job_queue import Beat, Claim, ClaimStatus, JobQueue
from storage.queue.jobs import Cancelled, Done, GiveUp, Job, JobKind, Outcome, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultImage:
    """A `png` that is what its job was for; `device_seconds` is what it cost, `note` is kept beside it."""

    png: bytes
    device_seconds: float = 0.0
    note: str = ""


PreparationResult = ImageRequest | ResultImage
"""What a preparation ends in."""


async def record_result_image(made: ResultImage, claim: Claim, queue: JobQueue, blobs: BlobStore) -> None:
    """Make it the job's image, and the job done."""
    width, height = read_size(made.png)
    blob = await blobs.put(made.png)
    row = NewImage(index=0, blob=blob, width=width, height=height, seed=0, parameters="", note=made.note)
    await queue.record_image(claim, row)
    await queue.settle(claim, Done(device_seconds=made.device_seconds))


_log = logging.getLogger(__name__)

_AT_ONCE: Final = 2
_RETRY_SECONDS: Final = 5.0
_FAULT: Final = "This could not be made ready because of a fault on our side; try again later."


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a preparation is; `enough` says that the member wants what there is by now."""

    percent: int = 0
    preview: bytes | None = None
    enough: bool = False

    def __call__(self, done: int, total: int | None, preview: bytes | None = None) -> None:
        """`done` of `total`, None while that is unknown; `preview` is a small encoded image of what there is."""
        self.percent = min(100, 100 * done // total) if total else 0
        self.preview = preview or self.preview


Preparation = Callable[[Job, Progress], Awaitable[PreparationResult]]
"""What one kind of job needs: makes ready, and returns what is to be rendered or what is made already.

A later attempt begins it again and finds what an earlier one recorded. It raises UserError where it cannot be.
"""


@dataclass(slots=True, kw_only=True)
class _Running:
    claim: Claim
    progress: Progress = field(default_factory=Progress)
    task: asyncio.Task[None] | None = None

    @property
    def has_something(self) -> bool:
        """Whether there is more to keep than if it had never begun, which a training alone has before its end."""
        return self.claim.job.kind == JobKind.TRAIN and self.progress.percent > 0

    async def end(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


@dataclass(slots=True, kw_only=True)
class Preparations:
    """What a worker makes ready beside its devices, a few at a time; a job that waits here takes no slot of a device.

    Trainings, which take minutes, have a turn of their own: nothing else waits for one.
    """

    queue: JobQueue
    blobs: BlobStore
    kinds: Mapping[JobKind, Preparation]
    _running: dict[int, _Running] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _training: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def begin(self, claim: Claim, then: Callable[[ImageRequest], Awaitable[None]]) -> None:
        """Make the claimed job ready, `then` hand its image on, unless that is made already."""
        running = _Running(claim=claim)
        self._running[claim.job.id] = running
        running.task = asyncio.create_task(self._prepare(running, then))

    def beats(self) -> list[Beat]:
        """A sign of life for each job, with the percentage that is done."""
        return [
            Beat(claim=job.claim, step=job.progress.percent, steps=100, preview=job.progress.preview)
            for job in self._running.values()
        ]

    async def hear(self, standings: Mapping[int, ClaimStatus]) -> None:
        """Stop what was cancelled or taken from us; a training that has learnt something ends with that."""
        for running in list(self._running.values()):
            match standings.get(running.claim.job.id, ClaimStatus.HELD):
                case ClaimStatus.HELD:
                    pass
                case ClaimStatus.CANCEL if running.has_something:
                    running.progress.enough = True
                case ClaimStatus.CANCEL:
                    await running.end()
                    await self.queue.settle(running.claim, Cancelled())
                case ClaimStatus.LOST:
                    await running.end()
                case never:
                    assert_never(never)

    async def stop(self) -> None:
        """Give every job back, the attempt not counted."""
        for running in list(self._running.values()):
            await running.end()
            await self.queue.release(running.claim)

    async def _prepare(self, running: _Running, then: Callable[[ImageRequest], Awaitable[None]]) -> None:
        job = running.claim.job
        try:
            async with self._training if job.kind == JobKind.TRAIN else self._turns:
                prepared = await self.kinds[job.kind](job, running.progress)
            if isinstance(prepared, ResultImage):
                await record_result_image(prepared, running.claim, self.queue, self.blobs)
            else:
                await then(prepared)
        except StorageError:
            _log.exception("preparing failed", extra=job.log_context())
            await self._settle(running, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
        except UserError as refusal:
            await self._settle(running, GiveUp(sentence=without_places(str(refusal))))
        except Exception:
            _log.exception("preparing failed", extra=job.log_context())
            await self._settle(running, Retry(after_seconds=_RETRY_SECONDS, why=_FAULT))
        finally:
            self._running.pop(job.id, None)

    async def _settle(self, running: _Running, outcome: Outcome) -> None:
        try:
            await self.queue.settle(running.claim, outcome)
        except Exception:  # the claim, which is given no sign of life any more, is rescued
            _log.exception("the end of a preparation could not be recorded", extra=running.claim.job.log_context())
