"""A file that a member offers with a command; it is fetched only when it is known that they may use the command."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from pipeline.errors import UserError
from storage.blobs import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """`blob` is the key of its bytes, `name` what the member called it, `size` in bytes; nothing in it is checked.

    Where a command's `check` sees it, it is not fetched yet and its `blob` is empty.
    """

    blob: str
    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedFile:
    """`name` is what the member called it, `size` how many bytes their platform says it has.

    `chunks` fetches the bytes, from where the platform keeps them alone; it raises UserError where they are not to be
    had.
    """

    name: str
    size: int
    chunks: Callable[[], AsyncGenerator[bytes, None]]

    async def take(self, blobs: BlobStore, limit: int) -> AttachedFile:
        """Fetch it into `blobs`; raises UserError where it has more than `limit` bytes or is not to be had."""
        _check(self.size, limit)
        size = 0

        async def counted() -> AsyncGenerator[bytes, None]:
            nonlocal size
            async with aclosing(self.chunks()) as chunks:
                async for chunk in chunks:  # the platform's word for the size is not relied on
                    size += len(chunk)
                    _check(size, limit)
                    yield chunk

        async with aclosing(counted()) as chunks:
            blob = await blobs.put_chunks(chunks)
        return AttachedFile(blob=blob, name=self.name, size=size)


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise UserError(f"That file is too large: {size / 2**20:.1f} MB; at most {limit / 2**20:.0f} MB are taken.")
