"""Blob collection deletes the blobs that no row mentions and nothing else, on every database."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.blobs import FileBlobStore
from storage.database import Database
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


@pytest.fixture
def later(clock: FakeClock) -> Callable[[], None]:
    """Lets more than the grace pass for what was stored until now."""

    def pass_grace() -> None:
        clock.now = time.time() + 2 * GRACE

    return pass_grace


async def test_blob_without_a_row_is_collected_after_the_grace(
    database: Database, blobs: FileBlobStore, clock: FakeClock, later: Callable[[], None]
) -> None:
    """A blob that nothing mentions stays for the grace, then goes."""
    clock.now = time.time()
    await blobs.put(b"orphan")

    assert await collect_blobs(database, blobs, GRACE) == 0
    later()
    assert await collect_blobs(database, blobs, GRACE) == 1
    assert await blobs.size() == 0


@pytest.mark.parametrize("step", [2 * GRACE, -2 * GRACE], ids=["forward", "back"])
async def test_step_of_the_wall_clock_makes_no_blob_old(
    database: Database, blobs: FileBlobStore, clock: FakeClock, step: float, tmp_path: Path
) -> None:
    """What was stored just now, before the step or after it, still has its grace."""
    clock.now = time.time()
    before, after = await blobs.put(b"before"), await blobs.put(b"after")
    os.utime(tmp_path / "blobs" / after[:2] / after, (clock.now + step, clock.now + step))
    clock.ahead = step

    assert await collect_blobs(database, blobs, GRACE) == 0
    assert {key async for key in blobs.keys(None)} == {before, after}


async def test_blobs_in_use_are_kept(
    database: Database, queue: JobQueue, blobs: FileBlobStore, enqueue: Enqueue, later: Callable[[], None]
) -> None:
    """Images and the files of a job keep their blobs, however old."""
    image, attachment = [await blobs.put(data) for data in (b"image", b"attachment")]
    await enqueue(blobs=(attachment, attachment))
    claim = await queue.claim("worker-1")
    assert claim is not None
    await queue.record_image(claim, _image(image))

    later()
    assert await collect_blobs(database, blobs, GRACE) == 0
    assert {key async for key in blobs.keys(None)} == {image, attachment}


async def test_blobs_go_with_their_job(
    database: Database, queue: JobQueue, outbox: Outbox, blobs: FileBlobStore, claim: Claim, later: Callable[[], None]
) -> None:
    """Once retention has deleted a job, the collector takes its image's bytes."""
    await queue.record_image(claim, _image(await blobs.put(b"image")))
    await queue.settle(claim, Done(device_seconds=1.0))
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.mark_posted(reply, "m1")
    later()
    assert await collect_blobs(database, blobs, GRACE) == 0

    await delete_old_jobs(database, 0)

    assert await collect_blobs(database, blobs, GRACE) == 1
