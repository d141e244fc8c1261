"""Turns at something scarce, shared fairly: a group that asks for many holds back no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pipeline.errors import UserError

Share = tuple[str, ...]
"""Who asks, from the largest group down to the one person: turns are fair between groups, and between the members of a
group."""


@dataclass(slots=True, eq=False)
class _Waiter:
    share: Share
    granted: asyncio.Future[None]


class FairTurns:
    """At most so many at a time; who has the fewest turns now comes next, and of those who had theirs longest ago.

    Args:
        at_once: turns at a time.
        most_each: turns at a time of one group, fewer than `at_once`, so that one is left for the others.
        most_waiting: of one person.
        crowded: the sentence for a person who has so many waiting.
    """

    def __init__(self, *, at_once: int, most_each: int, most_waiting: int, crowded: str) -> None:
        self._at_once, self._most_each = at_once, most_each
        self._most_waiting, self._crowded = most_waiting, crowded
        self._waiting: list[_Waiter] = []
        self._running: list[Share] = []
        self._last_served: dict[Share, int] = {}
        self._served = 0

    @asynccontextmanager
    async def turn(self, share: Share) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends.

        Args:
            share: who asks.

        Yields:
            Nothing.

        Raises:
            UserError: too many of theirs wait already.
        """
        if sum(waiter.share == share for waiter in self._waiting) >= self._most_waiting:
            raise UserError(self._crowded)
        waiter = _Waiter(share, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._grant()
        try:
            await waiter.granted
            yield
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                self._running.remove(share)
            self._forget()
            self._grant()

    def _grant(self) -> None:
        while len(self._running) < self._at_once:
            may = [waiter for waiter in self._waiting if self._may(waiter)]
            if not may:
                return
            chosen = min(may, key=self._rank)
            self._waiting.remove(chosen)
            self._running.append(chosen.share)
            self._served += 1
            self._last_served |= dict.fromkeys(_groups(chosen.share), self._served)
            chosen.granted.set_result(None)

    def _may(self, waiter: _Waiter) -> bool:
        # Where its task was cancelled a moment ago, it has not left yet.
        return not waiter.granted.cancelled() and self._count(waiter.share[:1]) < self._most_each

    def _rank(self, waiter: _Waiter) -> list[tuple[int, int]]:
        return [(self._count(group), self._last_served.get(group, 0)) for group in _groups(waiter.share)]

    def _count(self, group: Share) -> int:
        return sum(share[: len(group)] == group for share in self._running)

    def _forget(self) -> None:
        """Keep the record of those alone who have or want a turn."""
        present = {group for share in (*self._running, *(w.share for w in self._waiting)) for group in _groups(share)}
        self._last_served = {group: turn for group, turn in self._last_served.items() if group in present}


def _groups(share: Share) -> list[Share]:
    """From the largest group that holds the share down to itself."""
    return [share[:length] for length in range(1, len(share) + 1)]
