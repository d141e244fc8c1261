"""The files that members uploaded for training, kept no longer than the training needs them."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Update, delete, select, update

from storage.database import Database
from storage.queue.jobs import OPEN_STATES, JobKind
from storage.tables import job_blobs, job_loras, jobs

_KINDS: Final = (JobKind.CHECK_IMAGES, JobKind.TRAIN)


class TrainingUploads:
    """The files of every guild's trainings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def are_kept(self, guild_id: int, job_id: int) -> bool:
        """Whether the files of the guild's job are still there."""
        own = select(jobs.c.id).where(jobs.c.guild_id == guild_id, jobs.c.id == job_id, jobs.c.kind.in_(_KINDS))
        query = select(job_blobs.c.blob).where(job_blobs.c.job_id.in_(own), job_blobs.c.needed).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).one_or_none() is not None

    async def forget(self, guild_id: int, keys: Collection[str]) -> None:
        """Lets the next sweep delete the files with these keys, unless another kind of job still needs them."""
        own = select(jobs.c.id).where(jobs.c.guild_id == guild_id, jobs.c.kind.in_(_KINDS))
        async with self._database.write() as connection:
            await connection.execute(_no_longer(job_blobs.c.blob.in_(keys), job_blobs.c.job_id.in_(own)))

    async def delete_jobs(self, guild_id: int, lora_key: str) -> None:
        """Deletes the ended jobs of the training that made a LoRA, and every check of the same files.

        The bytes of their images go with the next collection of blobs.
        """
        ended = (jobs.c.guild_id == guild_id, jobs.c.state.not_in(OPEN_STATES))
        of_it = select(job_loras.c.job_id).where(job_loras.c.lora_key == lora_key)
        training = select(jobs.c.id).where(*ended, jobs.c.kind.in_(_KINDS), jobs.c.id.in_(of_it))
        files = select(job_blobs.c.blob).where(job_blobs.c.job_id.in_(training))
        with_them = select(job_blobs.c.job_id).where(job_blobs.c.blob.in_(files))
        checks = (jobs.c.kind == JobKind.CHECK_IMAGES) & jobs.c.id.in_(with_them)
        async with self._database.write() as connection:
            await connection.execute(delete(jobs).where(*ended, jobs.c.id.in_(training) | checks))

    async def forget_old(self, older_than_seconds: float) -> int:
        """Forgets the files of all jobs that ended longer ago than that, in any state; returns how many files."""
        async with self._database.write() as connection:
            oldest = await self._database.clock.read(connection) - older_than_seconds
            ended = select(jobs.c.id).where(jobs.c.kind.in_(_KINDS), jobs.c.finished_at <= oldest)
            return (await connection.execute(_no_longer(job_blobs.c.job_id.in_(ended)))).rowcount


def _no_longer(*which: ColumnElement[bool]) -> Update:
    """Notes of such files that their jobs need them no longer."""
    return update(job_blobs).where(job_blobs.c.needed, *which).values(needed=False)
