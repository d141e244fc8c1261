"""Deletes the blobs that nothing refers to."""

from storage.blobs import BlobStore
from storage.database import Database


async def collect_blobs(database: Database, blobs: BlobStore, grace_seconds: float) -> int:
    """Deletes blobs that no row mentions and that were stored longer ago than `grace_seconds`; returns how many."""
    raise NotImplementedError
