"""Bytes by their SHA-256: images, adapters, attachments. The database holds keys, a blob store holds the bytes."""

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, TypeVar, TypeVarTuple

from storage.errors import StorageError, disk_error

_KEY: Final = re.compile("[0-9a-f]{64}")
_PART: Final = ".new-"
_THREADS: Final = 8
_PIECE: Final = 2**20
"""Bytes that come in smaller chunks are gathered to so many before a thread is asked to write them."""

_Given = TypeVarTuple("_Given")
_Result = TypeVar("_Result")


class BlobStore(Protocol):
    """Where blobs live; every method raises StorageError when the place itself fails."""

    async def put(self, data: bytes) -> str:
        """Stores `data` durably and returns its key; storing it again renews its age for the garbage collector."""

    async def put_chunks(self, chunks: AsyncIterable[bytes]) -> str:
        """Stores `chunks` as one blob and returns its key; where `chunks` raises, nothing is left of them."""

    async def put_file(self, path: Path) -> str:
        """Stores the bytes of a file, which may be large, and returns their key."""

    async def get(self, key: str) -> bytes:
        """The bytes of `key`; raises StorageError when they are missing or no longer match the key."""

    async def file(self, key: str) -> Path:
        """A file with the bytes of `key`, for other processes to read; raises StorageError as `get`."""

    async def delete(self, key: str, stored_before: float | None = None) -> None:
        """Removes `key`, unless it was stored again at a later Unix second than `stored_before`.

        A key that is not there is no error.
        """

    def keys(self, stored_before: float | None = None) -> AsyncIterator[str]:
        """All keys, or those last stored before a Unix second."""

    async def drop_unfinished(self, touched_before: float) -> None:
        """Removes what killed processes left half-stored and nobody added to since a Unix second."""

    async def size(self) -> int:
        """Bytes in use."""


class FileBlobStore:
    """Blobs as files under `root`, in folders by the first two digits of their keys.

    Its threads are its own: whatever else fills the event loop's holds back no blob, and no blob anything else.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="blobs")

    async def put(self, data: bytes) -> str:
        """Stores `data` durably and returns its key; storing it again renews its age for the garbage collector."""
        with self._disk_errors():
            return await self._run(self._write, data)

    async def put_chunks(self, chunks: AsyncIterable[bytes]) -> str:
        """Stores `chunks` as one blob and returns its key; where `chunks` raises, nothing is left of them."""
        digest = hashlib.sha256()
        with self._disk_errors():
            part = await self._run(_new_part, self._root)
            try:
                held = bytearray()
                async for chunk in chunks:
                    held += chunk
                    if len(held) >= _PIECE:
                        await self._run(_append, part, held, digest)
                        held.clear()
                await self._run(_append, part, held, digest)
                key = digest.hexdigest()
                await self._run(_settle, part, self._path(key))
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return key

    async def put_file(self, path: Path) -> str:
        """Stores the bytes of a file, which may be large, and returns their key."""
        with self._disk_errors():
            return await self._run(self._copy, path)

    async def get(self, key: str) -> bytes:
        """The bytes of `key`; raises StorageError when they are missing or no longer match the key."""
        with self._disk_errors():
            return await self._run(self._read, key)

    async def file(self, key: str) -> Path:
        """A file with the bytes of `key`, for other processes to read; raises StorageError as `get`."""
        with self._disk_errors():
            return await self._run(self._checked, key)

    async def delete(self, key: str, stored_before: float | None = None) -> None:
        """Removes `key`, unless it was stored again at a later Unix second than `stored_before`.

        A key that is not there is no error.
        """
        with self._disk_errors(), suppress(FileNotFoundError):
            await self._run(_delete, self._path(key), stored_before)

    async def keys(self, stored_before: float | None = None) -> AsyncIterator[str]:
        """All keys, or those last stored before a Unix second."""
        with self._disk_errors():
            found = await self._run(self._listing)
        for key, stat in found:
            if stored_before is None or stat.st_mtime < stored_before:
                yield key

    async def drop_unfinished(self, touched_before: float) -> None:
        """Removes what killed processes left half-stored and nobody added to since a Unix second."""
        with self._disk_errors():
            await self._run(self._drop_parts, touched_before)

    async def size(self) -> int:
        """Bytes in use."""
        with self._disk_errors():
            return sum(stat.st_size for _, stat in await self._run(self._listing))

    async def _run(self, work: Callable[[*_Given], _Result], *given: *_Given) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    def _write(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        _write(self._path(key), data)
        return key

    def _copy(self, source: Path) -> str:
        part = _new_part(self._root)
        try:
            shutil.copyfile(source, part)
            key = _hash(part)
            _settle(part, self._path(key))
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return key

    def _read(self, key: str) -> bytes:
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            raise self._missing(key) from None
        if hashlib.sha256(data).hexdigest() != key:
            raise self._damaged(key)
        return data

    def _checked(self, key: str) -> Path:
        path = self._path(key)
        try:
            found = _hash(path)
        except FileNotFoundError:
            raise self._missing(key) from None
        if found != key:
            raise self._damaged(key)
        return path

    def _missing(self, key: str) -> StorageError:
        return StorageError(f"The blob {key} is missing from {self._root}; restore it from a backup.", self._root)

    def _damaged(self, key: str) -> StorageError:
        return StorageError(f"The blob {key} in {self._root} is damaged; restore it from a backup.", self._root)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no blob key")
        return self._root / key[:2] / key

    def _listing(self) -> list[tuple[str, os.stat_result]]:
        return [(path.name, path.stat()) for path in self._root.glob("??/*") if _KEY.fullmatch(path.name)]

    def _drop_parts(self, touched_before: float) -> None:
        for part in [*self._root.glob(f"{_PART}*"), *self._root.glob(f"??/{_PART}*")]:
            # Another process may rename it at this moment.
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < touched_before:
                    part.unlink()

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, "the blob folder", self._root) from error


def _hash(path: Path) -> str:
    """The SHA-256 of a file, which is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Leaves either the whole file or none, also when the power fails."""
    if path.exists() and _hash(path) == path.name:
        with suppress(FileNotFoundError):
            os.utime(path)
        if path.exists():  # else the collector took it at this moment
            return
    part = _new_part(path.parent)
    try:
        _append(part, data)
        _settle(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _delete(path: Path, stored_before: float | None) -> None:
    if stored_before is None or path.stat().st_mtime < stored_before:
        path.unlink()


def _new_part(folder: Path) -> Path:
    """An empty file whose name is no key, so that it counts as no blob yet."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=_PART)
    os.close(handle)
    return Path(name)


def _append(part: Path, data: bytes | bytearray, digest: "hashlib._Hash | None" = None) -> None:
    """Adds to a part, and to the hash of what is in it."""
    if digest is not None:
        digest.update(data)
    with part.open("ab") as file:
        file.write(data)


def _settle(part: Path, path: Path) -> None:
    """Gives a whole `part` its name once its bytes are safe on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
