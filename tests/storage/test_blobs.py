"""Blob files on a disk that fails."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.blobs import FileBlobStore
from storage.errors import StorageError
from tests.full_disk import full_disk

DATA = b"a red fox" * 1000


async def test_full_disk_leaves_no_half_blob(tmp_path: Path) -> None:
    """A blob that does not fit raises a sentence and leaves no file; once there is room, it can be stored."""
    blobs = FileBlobStore(tmp_path)

    with full_disk(1000), pytest.raises(StorageError, match=r"is full; free some space there and try again\."):
        await blobs.put(DATA)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert await blobs.get(await blobs.put(DATA)) == DATA


async def test_full_disk_leaves_no_half_of_a_blob_in_pieces(tmp_path: Path) -> None:
    """What came before the disk was full is gone as well."""
    blobs = FileBlobStore(tmp_path)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(DATA), 300):
            yield DATA[start : start + 300]

    (tmp_path / "given").write_bytes(DATA)
    with full_disk(1000), pytest.raises(StorageError, match="is full"):
        await blobs.put_chunks(pieces())
    with full_disk(1000), pytest.raises(StorageError, match="is full"):
        await blobs.put_file(tmp_path / "given")
    (tmp_path / "given").unlink()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_damaged_blob_is_refused_and_mended_by_storing_again(tmp_path: Path) -> None:
    """A file that no longer matches its key is not given out, and putting the bytes again heals it."""
    blobs = FileBlobStore(tmp_path)
    key = await blobs.put(DATA)
    (tmp_path / key[:2] / key).write_bytes(DATA[:-1])

    with pytest.raises(StorageError, match="is damaged; restore it"):
        await blobs.get(key)
    with pytest.raises(StorageError, match="is damaged; restore it"):
        await blobs.file(key)
    await blobs.put(DATA)

    assert await blobs.get(key) == DATA


async def test_threads_that_are_all_taken_hold_back_no_blob(tmp_path: Path) -> None:
    """Whatever else this process does in threads."""
    release, loop = threading.Event(), asyncio.get_running_loop()
    taken = [loop.run_in_executor(None, release.wait) for _ in range(200)]
    try:
        blobs = FileBlobStore(tmp_path)
        assert await asyncio.wait_for(blobs.get(await blobs.put(DATA)), 10) == DATA
    finally:
        release.set()
        await asyncio.gather(*taken)


async def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A blob folder that cannot be used is named in the sentence."""
    (tmp_path / "blobs").touch()

    with pytest.raises(StorageError, match=r"blobs cannot be used .*; check the disk"):
        await FileBlobStore(tmp_path / "blobs").put(DATA)


async def test_half_written_file_of_a_crash_is_no_blob(tmp_path: Path) -> None:
    """What a process left when it died in the middle of a write is never listed, and goes once it is old enough."""
    blobs = FileBlobStore(tmp_path)
    key = await blobs.put(DATA)
    of_put, of_chunks = parts = tmp_path / key[:2] / ".new-x7", tmp_path / ".new-y8"
    for part in parts:
        part.write_bytes(DATA[:10])
    os.utime(of_chunks, (1000, 1000))

    assert [found async for found in blobs.keys(None)] == [key]
    await blobs.drop_unfinished(touched_before=1001)
    assert (of_put.exists(), of_chunks.exists()) == (True, False)
    await blobs.drop_unfinished(touched_before=float("inf"))
    assert not of_put.exists()
    assert await blobs.get(key) == DATA
