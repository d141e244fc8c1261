"""How long finished jobs stay."""

from sqlalchemy import delete, select

from storage.database import Database
from storage.tables import jobs, replies

_BATCH = 500


async def delete_old_jobs(database: Database, older_than_seconds: float) -> int:
    """Deletes jobs that ended longer ago than that, with their images' rows, unless their reply is still owed.

    Returns how many; their blobs go when the garbage collector next comes.
    """
    old = (
        select(jobs.c.id)
        .join(replies)
        .where(jobs.c.finished_at <= await database.now() - older_than_seconds, replies.c.state != "open")
        .order_by(jobs.c.finished_at)
        .limit(_BATCH)
    )
    deleted = 0
    while True:
        # In batches, so that no worker waits for its turn to write.
        async with database.write() as connection:
            ids = (await connection.scalars(delete(jobs).where(jobs.c.id.in_(old)).returning(jobs.c.id))).all()
        deleted += len(ids)
        if len(ids) < _BATCH:
            return deleted
