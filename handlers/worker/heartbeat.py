"""The signs of life of a worker, and what it hears in return."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, assert_never

from handlers.jobs.preparation import Preparations
from handlers.worker.device_slots import DeviceSlots
from pipeline.error_log import ErrorLog
from storage.queue.job_queue import ClaimStatus, JobQueue

_log = logging.getLogger(__name__)

_BEAT_SECONDS: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """The heartbeat of the worker called `name`, for all jobs on its devices and in preparation."""

    name: str
    queue: JobQueue
    slots: tuple[DeviceSlots, ...]
    preparations: Preparations

    async def run(self) -> None:
        """Beat until cancelled; an error costs one beat."""
        errors = ErrorLog(_log)
        while True:
            try:
                await self._beat()
                errors.goes_well("the heartbeat")
            except Exception as error:
                errors.note(error, "the heartbeat failed; the next one tries again")
            await asyncio.sleep(_BEAT_SECONDS)

    async def _beat(self) -> None:
        """Tell the queue that we live and how far each job is; hear what was cancelled or taken from us."""
        held = [(slots, job, job.beat()) for slots in self.slots for job in slots.jobs]
        beats = [beat for _, _, beat in held]
        standings = await self.queue.heartbeat(self.name, [*beats, *self.preparations.beats()])
        await self.preparations.hear(standings)
        for slots, job, beat in held:
            match standings.get(job.claim.job.id, ClaimStatus.LOST):
                case ClaimStatus.HELD:
                    job.mark_saved(beat.snapshot)
                case ClaimStatus.CANCEL:
                    await slots.cancel(job)
                case ClaimStatus.LOST:
                    await slots.clear(job)
                case never:
                    assert_never(never)
