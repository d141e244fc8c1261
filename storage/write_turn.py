"""The turn at a database that has one writer at a time: who waited longest is next, after those who are urgent."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class WriteTurn:
    """One at a time; those of each kind come in the order in which they asked."""

    _taken: bool = False
    _urgent: deque[asyncio.Future[None]] = field(default_factory=deque)
    _others: deque[asyncio.Future[None]] = field(default_factory=deque)

    @asynccontextmanager
    async def take(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Wait for the turn, and have it until the block ends."""
        if self._taken:
            await self._wait(self._urgent if urgent else self._others)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, line: deque[asyncio.Future[None]]) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():  # it was granted a moment before
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Grant the turn to the next who still waits; it stays taken meanwhile."""
        for line in (self._urgent, self._others):
            while line:
                granted = line.popleft()
                if not granted.cancelled():
                    granted.set_result(None)
                    return
        self._taken = False
