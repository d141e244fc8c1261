"""Deletes the blobs that nothing refers to."""

from typing import Final

from sqlalchemy import Select, Table, select, union

from storage.blobs import BlobStore
from storage.database import Database
from storage.tables import metadata

_BATCH: Final = 500


async def collect_blobs(database: Database, blobs: BlobStore, grace_seconds: float) -> int:
    """Deletes blobs that no row mentions and that were stored longer ago than `grace_seconds`; returns how many.

    Blobs that were never stored whole go after the same time. The grace is for blobs whose row is not there yet: it
    must be longer than a job takes.
    """
    deleted = 0
    batch: list[str] = []
    oldest_kept = await database.file_time() - grace_seconds
    await blobs.drop_unfinished(oldest_kept)
    async for key in blobs.keys(stored_before=oldest_kept):
        batch.append(key)
        if len(batch) == _BATCH:
            deleted += await _delete_unused(database, blobs, batch, oldest_kept)
            batch.clear()
    return deleted + await _delete_unused(database, blobs, batch, oldest_kept)


async def _delete_unused(database: Database, blobs: BlobStore, keys: list[str], oldest_kept: float) -> int:
    used = union(*(_used(table).where(table.c.blob.in_(keys)) for table in _REFERRING))
    async with database.read() as connection:
        unused = set(keys) - set((await connection.scalars(used)).all())
    for key in unused:
        # A request that came meanwhile may have stored the same bytes again, and have no row yet.
        await blobs.delete(key, stored_before=oldest_kept)
    return len(unused)


def _used(table: Table) -> Select[tuple[str]]:
    """The blobs that a table's rows need."""
    every = select(table.c.blob)
    return every.where(table.c.needed) if "needed" in table.c else every


_REFERRING: Final = tuple(table for table in metadata.sorted_tables if "blob" in table.c)
