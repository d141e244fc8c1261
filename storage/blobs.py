"""Bytes by their SHA-256: pictures, adapters, attachments. The database holds keys, a blob store holds the bytes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class BlobStore(Protocol):
    """Where blobs live; every method raises StorageError when the place itself fails."""

    async def put(self, data: bytes) -> str:
        """Stores `data` durably and returns its key; storing it again makes it new for the garbage collector."""

    async def get(self, key: str) -> bytes:
        """The bytes of `key`; raises StorageError when they are missing or no longer match the key."""

    async def delete(self, key: str) -> None:
        """Removes `key`; a key that is not there is no error."""

    def keys(self, stored_before: float | None = None) -> AsyncIterator[str]:
        """All keys, or those last stored before a Unix second."""

    async def size(self) -> int:
        """Bytes in use."""


class FileBlobStore:
    """Blobs as files under `root`, named by content."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, data: bytes) -> str:
        """See BlobStore."""
        raise NotImplementedError

    async def get(self, key: str) -> bytes:
        """See BlobStore."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """See BlobStore."""
        raise NotImplementedError

    def keys(self, stored_before: float | None = None) -> AsyncIterator[str]:
        """See BlobStore."""
        raise NotImplementedError

    async def size(self) -> int:
        """See BlobStore."""
        raise NotImplementedError
