"""The durable queue: enqueue, claim in fair order, heartbeat, settle, cancel, rescue."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final, assert_never

from sqlalchemy import ColumnElement, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.queue.claim import FAIR, UPCOMING, ClaimOrder, suspects
from storage.queue.estimates import QueuePosition, estimate, position_of
from storage.queue.fair_share import add_waiting, update_shares
from storage.queue.images import NewImage, StoredImage
from storage.queue.inbox import take_out
from storage.queue.jobs import Job, JobKind, JobState, NewJob, Outcome, TooManyWaiting, Transition
from storage.queue.records import image_of, job_of, new_row
from storage.queue.snapshots import StoredSnapshot, delete_snapshots, load_snapshots, store_snapshots
from storage.queue.transitions import apply_transition, end_attempt, hand_back, held_job, rescue_job
from storage.tables import images, job_blobs, job_loras, jobs, replies

# On PostgreSQL a claim passes over guilds whose share another process has locked, for a few milliseconds at a time.
_CLAIM_TRIES: Final = 40
_CLAIM_PAUSE_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's hold on a job; `token` differs for every claim of a job, so that an old hold settles nothing."""

    job: Job
    worker: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life for one claim: `step` of `steps`, a new preview where there is one, and new snapshots."""

    claim: Claim
    step: int
    steps: int
    preview: bytes | None = None
    snapshot: tuple[StoredSnapshot, ...] = ()


class ClaimStatus(Enum):
    """What a heartbeat learns about a claim: go on, stop as asked, or drop the job since the claim no longer holds."""

    HELD = "held"
    CANCEL = "cancel"
    LOST = "lost"


class CancelResult(Enum):
    """What a cancel did: ended a queued job, asked a running one to stop, or came too late, or found no such job."""

    CANCELLED = "cancelled"
    STOPPING = "stopping"
    TOO_LATE = "too late"
    NOT_FOUND = "not found"


class JobQueue:
    """Jobs in SQL, shared by every chat and worker process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(self, new: NewJob) -> Job:
        """Stores the job and its reply in one transaction; once this returns, nothing can lose it.

        Raises TooManyWaiting where more of the member's jobs would wait than `new` allows, and AnsweredElsewhere where
        what it answers has been answered; then nothing is stored.
        """
        async with self._database.write() as connection:
            if new.received_id is not None:
                await take_out(connection, new.received_id, keep=new.reply.private)
            now = await self._now(connection)
            seconds = await estimate(connection, new.cost_key, new.cost_units, new.seconds_per_unit)
            row = (await connection.execute(insert(jobs).values(new_row(new, seconds, now)).returning(*jobs.c))).one()
            address = {
                **asdict(new.reply),
                "received_id": new.received_id,
                "job_id": row.id,
                "nonce": uuid.uuid4().hex[:24],
            }
            await connection.execute(insert(replies).values(**address, state="open", tries=0))
            if new.blobs:
                keys = [{"job_id": row.id, "blob": key} for key in sorted(set(new.blobs))]
                await connection.execute(insert(job_blobs), keys)
            if new.loras:
                used = [{"job_id": row.id, "lora_key": key} for key in sorted(set(new.loras))]
                await connection.execute(insert(job_loras), used)
            waiting = await add_waiting(self._database, connection, row)
            if new.most_waiting is not None and waiting > new.most_waiting:
                raise TooManyWaiting(waiting - 1)
        return job_of(row)

    async def claim(self, worker: str, order: ClaimOrder = FAIR) -> Claim | None:
        """Takes the next job in `order` for `worker`; None when none is ready."""
        for _ in range(_CLAIM_TRIES):
            async with self._database.read() as connection:
                now = {"claim_now": await self._now(connection)}
                if not await connection.scalar(order.any_ready, now):
                    return None
            async with self._database.write() as connection:
                row = (await connection.execute(order.claim, {**now, "claim_worker": worker})).one_or_none()
                if row is not None:
                    await update_shares(connection, row, waiting=-1, used=row.estimated_seconds, at=row.started_at)
                    return Claim(job=job_of(row), worker=worker, token=row.token)
            await asyncio.sleep(_CLAIM_PAUSE_SECONDS)
        return None

    async def claim_suspects(self, worker: str) -> list[Claim]:
        """Takes suspects for `worker`, as many as may be on a device together."""
        group: list[Claim] = []
        while not group or len(group) < (group[0].job.together or 1):
            if (claim := await self.claim(worker, suspects(beside=len(group)))) is None:
                break
            group.append(claim)
        return group

    async def is_ready(self, order: ClaimOrder) -> bool:
        """Whether a job in `order` could be claimed now."""
        async with self._database.read() as connection:
            return bool(await connection.scalar(order.any_ready, {"claim_now": await self._now(connection)}))

    async def upcoming(self, limit: int) -> tuple[Job, ...]:
        """The first job of each of the `limit` guilds whose turn is next, in fair order; nothing is claimed."""
        async with self._database.read() as connection:
            values = {"claim_now": await self._now(connection), "upcoming_limit": limit}
            return tuple(job_of(row) for row in await connection.execute(UPCOMING, values))

    async def heartbeat(self, worker: str, beats: Sequence[Beat]) -> dict[int, ClaimStatus]:
        """Records signs of life in one transaction; returns for each job id whether its claim still holds."""
        statuses = {}
        async with self._database.write() as connection:
            now = await self._now(connection)
            # In the order of ids, so that two workers never wait for each other.
            for beat in sorted(beats, key=lambda beat: beat.claim.job.id):
                status = await _record_beat(connection, worker, beat, now)
                if status is not ClaimStatus.LOST:
                    await store_snapshots(self._database, connection, beat.claim.job.id, beat.snapshot)
                statuses[beat.claim.job.id] = status
        return statuses

    async def suspend(self, claim: Claim, snapshot: Sequence[StoredSnapshot]) -> bool:
        """Stores snapshots for the next attempt; False when the claim is lost, and then nothing changed."""
        async with self._database.write() as connection:
            if await held_job(connection, claim.job.id, claim.token) is None:
                return False
            await store_snapshots(self._database, connection, claim.job.id, snapshot)
        return True

    async def resume(self, claim: Claim) -> bool:
        """Deletes the job's snapshots; False when the claim is lost, and then nothing changed."""
        async with self._database.write() as connection:
            if await held_job(connection, claim.job.id, claim.token) is None:
                return False
            await delete_snapshots(connection, claim.job.id)
        return True

    async def snapshot(self, claim: Claim) -> tuple[StoredSnapshot, ...]:
        """The snapshots that earlier attempts left of the claimed job's images, by index."""
        async with self._database.read() as connection:
            return await load_snapshots(connection, claim.job.id)

    async def record_image(self, claim: Claim, image: NewImage) -> bool:
        """Records an image once for each index; False when the claim is lost, and then nothing changed."""
        row: dict[str, Any] = asdict(image)
        row |= {"job_id": claim.job.id, "position": row.pop("index")}
        async with self._database.write() as connection:
            if await held_job(connection, claim.job.id, claim.token) is None:
                return False
            row["created_at"] = await self._now(connection)
            await connection.execute(self._database.insert(images).values(row).on_conflict_do_nothing())
            await delete_snapshots(connection, claim.job.id, image.index)
        return True

    async def settle(self, claim: Claim, outcome: Outcome) -> bool:
        """Ends the attempt; False when the claim is lost, and then nothing changed."""
        async with self._database.write() as connection:
            job = await held_job(connection, claim.job.id, claim.token)
            if job is not None:
                await end_attempt(connection, job, outcome, await self._now(connection))
        return job is not None

    async def release(self, claim: Claim) -> bool:
        """Puts the job back for another worker without counting the attempt; False when the claim is lost."""
        async with self._database.write() as connection:
            job = await held_job(connection, claim.job.id, claim.token)
            if job is not None:
                await hand_back(connection, job, await self._now(connection))
        return job is not None

    async def cancel(self, guild_id: int, job_id: int) -> CancelResult:
        """Ends a queued job at once; asks a running one to stop, which its worker learns from the next heartbeat."""
        async with self._database.write() as connection:
            job = (await connection.execute(_select_job(guild_id, job_id).with_for_update())).one_or_none()
            if job is None:
                return CancelResult.NOT_FOUND
            match JobState(job.state):
                case JobState.QUEUED:
                    await apply_transition(connection, job, Transition.CANCEL_WAITING, await self._now(connection))
                    return CancelResult.CANCELLED
                case JobState.RUNNING:
                    await connection.execute(update(jobs).where(jobs.c.id == job_id).values(cancel_requested=True))
                    return CancelResult.STOPPING
                case JobState.DONE | JobState.FAILED | JobState.CANCELLED:
                    return CancelResult.TOO_LATE
                case _ as never:
                    assert_never(never)

    async def rescue(self, stale_after_seconds: float) -> list[int]:
        """Takes jobs back from workers that were silent for `stale_after_seconds`; returns the jobs' ids."""
        async with self._database.read() as connection:
            now = await self._now(connection)
            stale = (jobs.c.state == JobState.RUNNING, jobs.c.heartbeat_at <= now - stale_after_seconds)
            found = (await connection.execute(select(jobs.c.id, jobs.c.worker).where(*stale))).all()
        counts = Counter(worker for _, worker in found)
        rescued = []
        for job_id, worker in found:
            async with self._database.write() as connection:
                query = select(jobs).where(jobs.c.id == job_id, *stale).with_for_update(skip_locked=True)
                job = (await connection.execute(query)).one_or_none()
                if job is not None:
                    await rescue_job(connection, job, now, counts[worker])
                    rescued.append(job_id)
        return rescued

    async def get(self, guild_id: int, job_id: int) -> Job | None:
        """The guild's job of that id, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(_select_job(guild_id, job_id))).one_or_none()
        return None if row is None else job_of(row)

    async def guild_of(self, job_id: int, member_id: str) -> int | None:
        """The guild in which the member asked for job `job_id`; None where there is no such job of theirs."""
        query = select(jobs.c.guild_id).where(jobs.c.id == job_id, jobs.c.member_id == member_id)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def member_jobs(
        self,
        guild_id: int,
        member_id: str,
        *,
        states: Collection[JobState] = tuple(JobState),
        kinds: Collection[JobKind] | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> tuple[Job, ...]:
        """A member's jobs in these states, newest first, of `kinds` alone, at most `limit`, of ids below `before`."""
        theirs = [jobs.c.guild_id == guild_id, jobs.c.member_id == member_id]
        if kinds is not None:
            theirs.append(jobs.c.kind.in_(kinds))
        return await self._newest(states, limit, before, *theirs)

    async def guild_jobs(
        self,
        guild_id: int,
        states: Collection[JobState] = tuple(JobState),
        limit: int | None = None,
        before: int | None = None,
    ) -> tuple[Job, ...]:
        """A guild's jobs in these states, newest first, at most `limit`, of ids below `before`."""
        return await self._newest(states, limit, before, jobs.c.guild_id == guild_id)

    async def images(self, guild_id: int, job_id: int) -> tuple[StoredImage, ...]:
        """The images that a job of the guild has recorded so far, by index."""
        query = (
            select(images)
            .join(jobs)
            .where(jobs.c.guild_id == guild_id, jobs.c.id == job_id)
            .order_by(images.c.position)
        )
        async with self._database.read() as connection:
            return tuple(image_of(row) for row in await connection.execute(query))

    async def place(self, guild_id: int, job_id: int) -> QueuePosition | None:
        """Where a queued job of the guild stands in the fair order; None when it is not queued."""
        async with self._database.read() as connection:
            job = (await connection.execute(_select_job(guild_id, job_id))).one_or_none()
            if job is None or job.state != JobState.QUEUED:
                return None
            return await position_of(connection, job, await self._now(connection))

    async def estimate(self, cost_key: str, units: float, seconds_per_unit: float | None = None) -> float:
        """Predicted device seconds for `units` of work like `cost_key`, from the last jobs like it that were done.

        Until there is one, `seconds_per_unit` counts, or a guess.
        """
        async with self._database.read() as connection:
            return await estimate(connection, cost_key, units, seconds_per_unit)

    async def counts(self) -> dict[JobState, int]:
        """How many jobs of all guilds are in each state, for anyone who watches the process."""
        query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        async with self._database.read() as connection:
            found = {JobState(state): count for state, count in await connection.execute(query)}
        return {state: found.get(state, 0) for state in JobState}

    async def _now(self, connection: AsyncConnection) -> float:
        return await self._database.clock.read(connection)

    async def _newest(
        self, states: Collection[JobState], limit: int | None, before: int | None, *where: ColumnElement[bool]
    ) -> tuple[Job, ...]:
        query = select(jobs).where(*where, jobs.c.state.in_(states)).order_by(jobs.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(jobs.c.id < before)
        async with self._database.read() as connection:
            return tuple(job_of(row) for row in await connection.execute(query))


def _select_job(guild_id: int, job_id: int) -> Select[Any]:
    return select(jobs).where(jobs.c.guild_id == guild_id, jobs.c.id == job_id)


async def _record_beat(connection: AsyncConnection, worker: str, beat: Beat, now: float) -> ClaimStatus:
    held = jobs.c.id == beat.claim.job.id, jobs.c.token == beat.claim.token, jobs.c.worker == worker
    values: dict[str, Any] = {"step": beat.step, "steps": beat.steps, "heartbeat_at": now}
    if beat.preview is not None:
        values["preview"] = beat.preview
    query = update(jobs).where(*held, jobs.c.state == JobState.RUNNING).values(values)
    cancel = (await connection.execute(query.returning(jobs.c.cancel_requested))).scalar_one_or_none()
    if cancel is None:
        return ClaimStatus.LOST
    return ClaimStatus.CANCEL if cancel else ClaimStatus.HELD
