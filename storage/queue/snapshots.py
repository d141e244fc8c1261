"""Unfinished images as bytes, stored while their job is open so that the next attempt goes on from there."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """Image `index` of a job in the form that one device sends and another takes."""

    index: int
    data: bytes


async def store_snapshots(
    database: Database, connection: AsyncConnection, job_id: int, snapshot: Iterable[StoredSnapshot]
) -> None:
    """Stores the newest snapshot of each image; the caller holds the job."""
    for image in snapshot:
        statement = database.insert(snapshots).values(job_id=job_id, position=image.index, data=image.data)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=snapshots.primary_key.columns.keys(), set_={"data": statement.excluded.data}
            )
        )


async def load_snapshots(connection: AsyncConnection, job_id: int) -> tuple[StoredSnapshot, ...]:
    """The snapshots of the job's unfinished images, by index."""
    query = select(snapshots).where(snapshots.c.job_id == job_id).order_by(snapshots.c.position)
    return tuple(StoredSnapshot(index=row.position, data=row.data) for row in await connection.execute(query))


async def delete_snapshots(connection: AsyncConnection, job_id: int, index: int | None = None) -> None:
    """Deletes the snapshot of image `index`, or of all the job's images."""
    statement = delete(snapshots).where(snapshots.c.job_id == job_id)
    if index is not None:
        statement = statement.where(snapshots.c.position == index)
    await connection.execute(statement)
