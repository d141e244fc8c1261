"""The files that members handed over for training, which are kept no longer than it takes."""

from collections.abc import Collection

from sqlalchemy import delete, select

from storage.database import Database
from storage.jobs import JobKind
from storage.tables import job_blobs, jobs

_KINDS = (JobKind.CHECK_PICTURES, JobKind.TRAIN)


class HandedFiles:
    """The files of every guild's trainings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, guild_id: int, keys: Collection[str]) -> None:
        """Let the next sweep delete the files with these keys, unless another kind of job still needs them."""
        own = select(jobs.c.id).where(jobs.c.guild_id == guild_id, jobs.c.kind.in_(_KINDS))
        statement = delete(job_blobs).where(job_blobs.c.blob.in_(keys), job_blobs.c.job_id.in_(own))
        async with self._database.write() as connection:
            await connection.execute(statement)
