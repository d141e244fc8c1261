"""Children for imports, one of them kept ready: to start one takes longer than most downloads."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from pipeline.lora.importing.import_process import ChildLimits, Order, import_apart
from pipeline.lora.importing.report import ImportReport


class Importers:
    """Child processes that `start` makes, each for one import; of one event loop."""

    def __init__(self, start: Callable[[], AbstractAsyncContextManager[Process]]) -> None:
        self._start = start
        self._spare: Process | None = None
        self._spare_life = AsyncExitStack()
        self._starting = asyncio.Lock()

    async def keep_one(self) -> None:
        """Start a child for an import to come, unless one waits already."""
        async with self._starting:
            if self._spare is None or self._spare.returncode is not None:
                life = AsyncExitStack()
                self._spare, self._spare_life = await life.enter_async_context(self._start()), life

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Process]:
        """A child that nobody has asked yet, the one that waits if it lives; gone when the block ends.

        Another begins to make itself ready in the place of one that waited: LoRAs come in rows.
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
        """What imports files until the block ends: the first in a child of `one`, each other in a child of its own."""
        async with self.one() as child:
            waiting = [child]

            def imported(order: Order) -> Awaitable[ImportReport]:
                return import_apart(order, ChildLimits(), waiting.pop() if waiting else None)

            yield imported

    async def close(self) -> None:
        """End the child that waits, if one does."""
        self._spare = None
        await self._spare_life.aclose()
