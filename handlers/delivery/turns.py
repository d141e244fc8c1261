"""Work for many destinations at once: each is served in its turn, and one that is slow or fails holds back no other."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    guild_id: int
    task: asyncio.Task[None]


@dataclass(slots=True, kw_only=True)
class Turns:
    """One piece of work at a time for each destination, at most `of_guild` for each guild, `at_once` in all.

    `failed` is told of the error that ended a piece of work, whose destination then rests for `rest_seconds`.
    """

    at_once: int
    of_guild: int
    failed: Callable[[Exception], None]
    rest_seconds: float = 5.0
    clock: Callable[[], float] = time.monotonic
    _turns: dict[str, _Turn] = field(default_factory=dict)
    _rests: dict[str, float] = field(default_factory=dict)

    @property
    def is_working(self) -> bool:
        """Whether any work is under way."""
        return bool(self._turns)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The work that is under way."""
        return [turn.task for turn in self._turns.values()]

    @property
    def free(self) -> int:
        """For how many more destinations work can begin."""
        return self.at_once - len(self._turns)

    @property
    def busy(self) -> frozenset[str]:
        """The destinations that it is not the turn of: those that work is under way for, and those that rest."""
        now = self.clock()
        self._rests = {destination: until for destination, until in self._rests.items() if until > now}
        return frozenset((*self._turns, *self._rests))

    @property
    def full_guilds(self) -> frozenset[int]:
        """The guilds that have all the work under way that they may."""
        counts = Counter(turn.guild_id for turn in self._turns.values())
        return frozenset(guild_id for guild_id, count in counts.items() if count >= self.of_guild)

    def begin(self, destination: str, guild_id: int, work: Callable[[], Awaitable[None]]) -> bool:
        """Begin `work` if it is the destination's turn; whether it was."""
        if self.free <= 0 or destination in self.busy or guild_id in self.full_guilds:
            return False

        async def in_turn() -> None:
            try:
                await work()
            except Exception as error:
                self._rests[destination] = self.clock() + self.rest_seconds
                self.failed(error)
            finally:
                self._turns.pop(destination, None)

        self._turns[destination] = _Turn(guild_id=guild_id, task=asyncio.create_task(in_turn()))
        return True

    async def wait_for_one(self) -> None:
        """Until some work has ended; at once where none is under way."""
        if tasks := self.tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def close(self, seconds: float) -> None:
        """Let what is under way end, for so long; then break it off."""
        if not (tasks := self.tasks):
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
