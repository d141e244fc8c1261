"""The files that members handed over for training, which are kept no longer than it takes."""

import time
from collections.abc import Callable, Collection

from sqlalchemy import delete, select

from storage.database import Database
from storage.jobs import JobKind
from storage.tables import job_blobs, jobs

_KINDS = (JobKind.CHECK_PICTURES, JobKind.TRAIN)


class HandedFiles:
    """The files of every guild's trainings; `clock` tells Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def are_kept(self, guild_id: int, job_id: int) -> bool:
        """Whether the files of the guild's job are still there."""
        own = select(jobs.c.id).where(jobs.c.guild_id == guild_id, jobs.c.id == job_id, jobs.c.kind.in_(_KINDS))
        query = select(job_blobs.c.blob).where(job_blobs.c.job_id.in_(own)).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).one_or_none() is not None

    async def forget(self, guild_id: int, keys: Collection[str]) -> None:
        """Let the next sweep delete the files with these keys, unless another kind of job still needs them."""
        own = select(jobs.c.id).where(jobs.c.guild_id == guild_id, jobs.c.kind.in_(_KINDS))
        statement = delete(job_blobs).where(job_blobs.c.blob.in_(keys), job_blobs.c.job_id.in_(own))
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def forget_old(self, older_than_seconds: float) -> int:
        """The same for all whose job ended longer ago than that, whatever came of it; returns how many."""
        ended = select(jobs.c.id).where(
            jobs.c.kind.in_(_KINDS), jobs.c.finished_at <= self._clock() - older_than_seconds
        )
        async with self._database.write() as connection:
            return (await connection.execute(delete(job_blobs).where(job_blobs.c.job_id.in_(ended)))).rowcount
