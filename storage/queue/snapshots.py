"""Unfinished pictures as bytes: kept while their job is open, so that the next attempt goes on from there."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import parked_pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedPicture:
    """Picture `index` of a job as a device said it, to hand to another device."""

    index: int
    data: bytes


async def keep_parked(
    database: Database, connection: AsyncConnection, job_id: int, parked: Iterable[ParkedPicture]
) -> None:
    """Keeps the newest of each picture; whoever calls holds the job."""
    for picture in parked:
        statement = database.insert(parked_pictures).values(job_id=job_id, position=picture.index, data=picture.data)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=parked_pictures.primary_key.columns.keys(), set_={"data": statement.excluded.data}
            )
        )


async def parked_of(connection: AsyncConnection, job_id: int) -> tuple[ParkedPicture, ...]:
    """What is kept of the job's unfinished pictures, by index."""
    query = select(parked_pictures).where(parked_pictures.c.job_id == job_id).order_by(parked_pictures.c.position)
    return tuple(ParkedPicture(index=row.position, data=row.data) for row in await connection.execute(query))


async def forget_parked(connection: AsyncConnection, job_id: int, index: int | None = None) -> None:
    """Deletes what is kept of picture `index`, or of all the job's pictures."""
    statement = delete(parked_pictures).where(parked_pictures.c.job_id == job_id)
    if index is not None:
        statement = statement.where(parked_pictures.c.position == index)
    await connection.execute(statement)
