"""Blob collection deletes the blobs that no row mentions and nothing else, on every database."""

import time
from pathlib import Path

import pytest

from storage.blobs import FileBlobStore
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.guilds.retention import delete_old_jobs
from storage.library.blob_gc import collect_blobs
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done
from storage.queue.outbox import Outbox
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue

GRACE = 3600.0


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobStore:
    return FileBlobStore(tmp_path / "blobs")


def _image(blob: str) -> NewImage:
    return NewImage(index=0, blob=blob, width=8, height=8, seed=1, parameters="fox")


def _later() -> float:
    return time.time() + 2 * GRACE


async def test_blob_without_a_row_is_collected_after_the_grace(database: Database, blobs: FileBlobStore) -> None:
    """A blob that nothing mentions stays for the grace, then goes."""
    await blobs.put(b"orphan")

    assert await collect_blobs(database, blobs, GRACE) == 0
    assert await collect_blobs(database, blobs, GRACE, _later) == 1
    assert await blobs.size() == 0


async def test_blobs_in_use_are_kept(
    database: Database, queue: JobQueue, guild: Guild, blobs: FileBlobStore, enqueue: Enqueue
) -> None:
    """Images and the files of a job keep their blobs, however old."""
    image, attachment = [await blobs.put(data) for data in (b"image", b"attachment")]
    await enqueue(blobs=(attachment, attachment))
    claim = await queue.claim("worker-1")
    assert claim is not None
    await queue.record_image(claim, _image(image))

    assert await collect_blobs(database, blobs, GRACE, _later) == 0
    assert {key async for key in blobs.keys(None)} == {image, attachment}


async def test_blobs_go_with_their_job(
    database: Database, queue: JobQueue, outbox: Outbox, clock: FakeClock, blobs: FileBlobStore, claim: Claim
) -> None:
    """Once retention has deleted a job, the collector takes its image's bytes."""
    await queue.record_image(claim, _image(await blobs.put(b"image")))
    await queue.settle(claim, Done(device_seconds=1.0))
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.mark_posted(reply, "m1")
    assert await collect_blobs(database, blobs, GRACE, _later) == 0

    await delete_old_jobs(database, 0, clock)

    assert await collect_blobs(database, blobs, GRACE, _later) == 1
