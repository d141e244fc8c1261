"""The durable queue: enqueue, fair claim, heartbeat, settle, cancel, rescue."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from storage.database import Database
from storage.jobs import Job, JobState, NewJob, Outcome
from storage.pictures import NewPicture, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's hold on a job; `token` differs for every claim of a job, so that an old hold settles nothing."""

    job: Job
    worker: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life for one claim: `step` of `steps`, and a new preview where there is one."""

    claim: Claim
    step: int
    steps: int
    preview: bytes | None = None


class Standing(Enum):
    """What a heartbeat learns about a claim: go on, stop as asked, or drop it since another holds the job."""

    HELD = "held"
    CANCEL = "cancel"
    LOST = "lost"


class CancelResult(Enum):
    """What a cancel did: ended a queued job, asked a running one to stop, or came too late, or found no such job."""

    CANCELLED = "cancelled"
    STOPPING = "stopping"
    TOO_LATE = "too late"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A queued job's place: jobs that will start `before` it, and the predicted `seconds` until it starts."""

    before: int
    seconds: float


class JobQueue:
    """Jobs in SQL, shared by every chat and worker process; `clock` tells Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def enqueue(self, new: NewJob) -> Job:
        """Stores the job and its reply in one transaction; once this returns, nothing can lose it."""
        raise NotImplementedError

    async def claim(self, worker: str) -> Claim | None:
        """Takes the next job in fair order for `worker`, or None when none is ready."""
        raise NotImplementedError

    async def heartbeat(self, worker: str, beats: Sequence[Beat]) -> dict[int, Standing]:
        """Records signs of life in one transaction; tells for each job id whether its claim still stands."""
        raise NotImplementedError

    async def record_picture(self, claim: Claim, picture: NewPicture) -> bool:
        """Records a picture once for each index; False when the claim is lost, and then nothing changed."""
        raise NotImplementedError

    async def settle(self, claim: Claim, outcome: Outcome) -> bool:
        """Ends the attempt; False when the claim is lost, and then nothing changed."""
        raise NotImplementedError

    async def release(self, claim: Claim) -> bool:
        """Puts the job back for another worker, the attempt not counted; False when the claim is lost."""
        raise NotImplementedError

    async def cancel(self, guild_id: int, job_id: int) -> CancelResult:
        """Ends a queued job at once; asks a running one to stop, which its worker hears with the next heartbeat."""
        raise NotImplementedError

    async def rescue(self, stale_after_seconds: float) -> list[int]:
        """Takes jobs back from workers that were silent for `stale_after_seconds`; returns the jobs' ids."""
        raise NotImplementedError

    async def get(self, guild_id: int, job_id: int) -> Job | None:
        """The guild's job of that id, or None."""
        raise NotImplementedError

    async def member_jobs(
        self,
        guild_id: int,
        member_id: str,
        states: Collection[JobState] = tuple(JobState),
        limit: int = 25,
        before: int | None = None,
    ) -> tuple[Job, ...]:
        """A member's jobs in these states, newest first, at most `limit`, of ids below `before`."""
        raise NotImplementedError

    async def guild_jobs(
        self,
        guild_id: int,
        states: Collection[JobState] = tuple(JobState),
        limit: int = 25,
        before: int | None = None,
    ) -> tuple[Job, ...]:
        """A guild's jobs in these states, newest first, at most `limit`, of ids below `before`."""
        raise NotImplementedError

    async def pictures(self, guild_id: int, job_id: int) -> tuple[Picture, ...]:
        """The pictures that a job of the guild has recorded so far, by index."""
        raise NotImplementedError

    async def place(self, guild_id: int, job_id: int) -> Place | None:
        """Where a queued job of the guild stands in the fair order; None when it is not queued."""
        raise NotImplementedError

    async def estimate(self, cost_key: str, units: float) -> float:
        """Predicted device seconds for `units` of work like `cost_key`, from the last jobs done that were like it."""
        raise NotImplementedError
