"""The files that members uploaded for training, kept no longer than the training needs them."""

import re
import time
from collections.abc import Callable, Collection
from typing import Final

from sqlalchemy import delete, or_, select

from storage.database import Database
from storage.queue.jobs import OPEN_STATES, JobKind
from storage.tables import job_blobs, jobs

_KINDS: Final = (JobKind.CHECK_IMAGES, JobKind.TRAIN)
_BLOB: Final = re.compile(r"\b[0-9a-f]{64}\b")


class TrainingUploads:
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
        """Lets the next sweep delete the files with these keys, unless another kind of job still needs them."""
        own = select(jobs.c.id).where(jobs.c.guild_id == guild_id, jobs.c.kind.in_(_KINDS))
        statement = delete(job_blobs).where(job_blobs.c.blob.in_(keys), job_blobs.c.job_id.in_(own))
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def delete_jobs(self, guild_id: int, key: str) -> None:
        """Deletes the ended jobs of the training that was ordered with `key`, and every check of the same files.

        The bytes of their images go with the next collection of blobs.
        """
        ended = (jobs.c.guild_id == guild_id, jobs.c.state.not_in(OPEN_STATES))
        named = jobs.c.payload.contains(key, autoescape=True)
        async with self._database.write() as connection:
            orders = await connection.scalars(select(jobs.c.payload).where(*ended, jobs.c.kind.in_(_KINDS), named))
            files = {blob for order in orders for blob in _BLOB.findall(order)}
            checked = or_(named, *(jobs.c.payload.contains(blob) for blob in files))
            of_it = or_(named & jobs.c.kind.in_(_KINDS), checked & (jobs.c.kind == JobKind.CHECK_IMAGES))
            await connection.execute(delete(jobs).where(*ended, of_it))

    async def forget_old(self, older_than_seconds: float) -> int:
        """Forgets the files of all jobs that ended longer ago than that, in any state; returns how many files."""
        ended = select(jobs.c.id).where(
            jobs.c.kind.in_(_KINDS), jobs.c.finished_at <= self._clock() - older_than_seconds
        )
        async with self._database.write() as connection:
            return (await connection.execute(delete(job_blobs).where(job_blobs.c.job_id.in_(ended)))).rowcount
