"""What every blob store keeps to."""

import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.errors import UserError
from storage.blobs import BlobStore, FileBlobStore
from storage.errors import StorageError

DATA = b"a red fox" * 1000


@pytest.fixture(params=["file"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store; a new kind of store joins by another parameter."""
    match request.param:
        case "file":
            return FileBlobStore(tmp_path / "blobs")
        case other:
            raise NotImplementedError(other)


async def _keys(blobs: BlobStore, stored_before: float | None = None) -> set[str]:
    return {key async for key in blobs.keys(stored_before)}


async def test_blob_comes_back_under_its_hash(blobs: BlobStore) -> None:
    """A key is the SHA-256 of the bytes that it gives back."""
    key = await blobs.put(DATA)

    assert key == hashlib.sha256(DATA).hexdigest()
    assert await blobs.get(key) == DATA


async def test_bytes_that_come_in_pieces_are_the_same_blob(blobs: BlobStore) -> None:
    """In whatever pieces, whether it is there already or not; none at all is the empty blob."""

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(DATA), size):
            yield DATA[start : start + size]

    async def none() -> AsyncIterator[bytes]:
        nothing: tuple[bytes, ...] = ()
        for piece in nothing:
            yield piece

    key = await blobs.put_chunks(pieces(1000))

    assert key == await blobs.put_chunks(pieces(77)) == await blobs.put(DATA)
    assert await blobs.get(key) == DATA
    assert await blobs.size() == len(DATA)
    assert await blobs.get(await blobs.put_chunks(none())) == b""


async def test_a_file_is_the_same_blob_and_comes_back_as_one(blobs: BlobStore, tmp_path: Path) -> None:
    """For bytes that no process needs in its memory; the file that was given stays where it is."""
    given = tmp_path / "given"
    given.write_bytes(DATA)

    key = await blobs.put_file(given)

    assert key == await blobs.put(DATA)
    assert (await blobs.file(key)).read_bytes() == given.read_bytes() == DATA
    await blobs.delete(key)
    with pytest.raises(StorageError, match="is missing"):
        await blobs.file(key)


async def test_pieces_that_break_off_leave_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    """The error comes through as it was; not even a half is left on the disk."""

    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise UserError("the line was cut")

    with pytest.raises(UserError, match="the line was cut"):
        await blobs.put_chunks(broken())

    assert await _keys(blobs) == set()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_same_bytes_are_stored_once(blobs: BlobStore) -> None:
    """Putting the same bytes again takes no more room."""
    assert await blobs.put(DATA) == await blobs.put(DATA)
    await blobs.put(b"")

    assert await blobs.size() == len(DATA)
    assert len(await _keys(blobs)) == 2


async def test_deleted_blob_is_gone(blobs: BlobStore) -> None:
    """A deleted blob is missing by a sentence; deleting it again is no error; its neighbour stays."""
    key, other = await blobs.put(DATA), await blobs.put(b"other")

    await blobs.delete(key)
    await blobs.delete(key)

    with pytest.raises(StorageError, match="is missing"):
        await blobs.get(key)
    assert await _keys(blobs) == {other}


async def test_empty_store_has_nothing(blobs: BlobStore) -> None:
    """A store that was never written lists nothing and takes nothing."""
    assert await _keys(blobs) == set()
    assert await blobs.size() == 0


async def test_keys_can_be_asked_by_age(blobs: BlobStore) -> None:
    """Only blobs last stored before a moment are listed; the moment is in Unix seconds."""
    key = await blobs.put(DATA)

    assert await _keys(blobs, time.time() - 100) == set()
    assert await _keys(blobs, time.time() + 100) == {key}


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "a" * 63])
async def test_what_is_no_key_is_refused(blobs: BlobStore, key: str) -> None:
    """A key that no put can have returned is a mistake of the caller, and reaches no disk."""
    with pytest.raises(ValueError, match="no blob key"):
        await blobs.get(key)
    with pytest.raises(ValueError, match="no blob key"):
        await blobs.file(key)


async def test_storing_again_makes_a_file_new(tmp_path: Path) -> None:
    """Bytes that are put again count from then, so that the collector leaves them to their new user."""
    blobs = FileBlobStore(tmp_path)
    key = await blobs.put(DATA)
    os.utime(tmp_path / key[:2] / key, (0, 0))
    assert await _keys(blobs, 1.0) == {key}

    await blobs.put(DATA)

    assert await _keys(blobs, 1.0) == set()
    os.utime(tmp_path / key[:2] / key, (0, 0))

    async def pieces() -> AsyncIterator[bytes]:
        yield DATA

    await blobs.put_chunks(pieces())

    assert await _keys(blobs, 1.0) == set()


async def test_what_is_stored_again_meanwhile_is_not_deleted(blobs: BlobStore) -> None:
    """The collector deletes only what is as old as it was when it looked."""
    key = await blobs.put(DATA)

    await blobs.delete(key, stored_before=time.time() - 100)
    assert await blobs.get(key) == DATA

    await blobs.delete(key, stored_before=time.time() + 100)
    assert await _keys(blobs) == set()
    await blobs.delete(key, stored_before=time.time() + 100)
