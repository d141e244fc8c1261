"""Child processes for imports, one of them kept ready: starting one takes longer than most downloads."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from pipeline.lora.importing.import_process import ChildLimits, Order, import_apart
from pipeline.lora.importing.report import ImportReport


class Importers:
    """Child processes, each for one import; for use in one event loop.

    Args:
        start: begins a child that prepares itself.
    """

    def __init__(self, start: Callable[[], AbstractAsyncContextManager[Process]]) -> None:
        self._start = start
        self._spare: Process | None = None
        self._spare_life = AsyncExitStack()
        self._starting = asyncio.Lock()

    async def keep_one(self) -> None:
        """Start a child for the next import, unless one waits already."""
        async with self._starting:
            if self._spare is None or self._spare.returncode is not None:
                life = AsyncExitStack()
                self._spare, self._spare_life = await life.enter_async_context(self._start()), life

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Process]:
        """A child that has had no order: the waiting one if it lives, else a new one; it is gone when the block ends.

        Where the waiting one was taken, another starts in its place, because LoRAs are often added several at a time.

        Yields:
            The process.
        """
        async with self._spare_life.pop_all():
            spare, self._spare = self._spare, None
            if spare is not None and spare.returncode is None:
                with suppress(OSError):  # of the next child, which is not this import's trouble; the duty tries again
                    await self.keep_one()
                yield spare
                return
        async with self._start() as child:
            yield child

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Callable[[Order], Awaitable[ImportReport]]]:
        """Import files inside this block: the first in a child of `one`, each other in a child of its own.

        Yields:
            The function that imports a file.
        """
        async with self.one() as child:
            waiting = [child]

            def imported(order: Order) -> Awaitable[ImportReport]:
                return import_apart(order, ChildLimits(), waiting.pop() if waiting else None)

            yield imported

    async def close(self) -> None:
        """End the waiting child, if there is one."""
        self._spare = None
        await self._spare_life.aclose()
