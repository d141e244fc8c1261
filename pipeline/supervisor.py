"""Background tasks that never die silently: each is begun again after an error, and one that keeps failing is known."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from pipeline.error_log import ErrorLog

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_MOST_DOUBLINGS: Final = 10
_HEALTHY_SECONDS: Final = 30.0
"""A task that ran for so long since its last error has recovered from it."""
_KEEPS_FAILING: Final = 2

Work = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class _Kept:
    """How one task is doing: how often it failed in a row, since when it runs again, and what was said of it."""

    failures: int = 0
    running_since: float | None = None
    errors: ErrorLog = field(default_factory=lambda: ErrorLog(_log))


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Keeps background tasks going.

    Attributes:
        first_pause: seconds before a task that failed is started again; they double with each further failure.
        clock: tells seconds.
    """

    first_pause: float = _FIRST_PAUSE
    clock: Callable[[], float] = time.monotonic
    _tasks: dict[str, _Kept] = field(default_factory=dict)

    @property
    def failing(self) -> tuple[str, ...]:
        """The tasks that failed more than once in a row and have not recovered yet."""
        return tuple(name for name, kept in self._tasks.items() if self._is_failing(kept))

    def start(self, name: str, work: Work, stop: asyncio.Event | None = None) -> asyncio.Task[None]:
        """Begin to `keep` a task going.

        Args:
            name: as in `keep`.
            work: as in `keep`.
            stop: as in `keep`.

        Returns:
            What keeps it; cancelled, it cancels the work.
        """
        return asyncio.create_task(self.keep(name, work, stop), name=name)

    async def keep(self, name: str, work: Work, stop: asyncio.Event | None = None) -> None:
        """Do `work`, and again after each error, until it ends by itself.

        Args:
            name: of the task, for people.
            work: begins the task.
            stop: with it, the work is to go on until this is set: it is begun again if it ends before, and no pause is
                longer.
        """
        kept = self._tasks[name] = _Kept()
        try:
            while not (stop and stop.is_set()):
                kept.running_since = self.clock()
                try:
                    await work()
                    if stop is None or stop.is_set():
                        return
                    _log.error("%s has ended; it is begun again", name)
                except Exception as error:
                    if self._has_recovered(kept):
                        kept.errors.goes_well("%s", name)
                    kept.errors.note(error, "%s failed; it is begun again", name)
                kept.failures = 1 if self._has_recovered(kept) else kept.failures + 1
                kept.running_since = None
                await _pause(min(_LONGEST_PAUSE, self.first_pause * 2 ** min(kept.failures - 1, _MOST_DOUBLINGS)), stop)
        finally:
            del self._tasks[name]

    def repeat(self, name: str, seconds: float, duty: Work, first: float | None = None) -> asyncio.Task[None]:
        """Begin to do a duty again and again.

        Args:
            name: as in `keep`.
            seconds: between two times; after an error it is sooner.
            duty: what is done.
            first: seconds before the first time, where it is not like every other.

        Returns:
            What does it, until it is cancelled.
        """
        waited = False

        async def forever() -> None:
            nonlocal waited
            if not waited:
                waited = True
                await asyncio.sleep(seconds if first is None else first)
            while True:
                await duty()
                self._tasks[name].failures = 0
                self._tasks[name].errors.goes_well("%s", name)
                await asyncio.sleep(seconds)

        return self.start(name, forever)

    async def attempt(self, name: str, duty: Work) -> None:
        """Do a duty once, for a schedule of another's: what it raises is logged, and known until it succeeds.

        Args:
            name: as in `keep`.
            duty: what is done.
        """
        kept = self._tasks.setdefault(name, _Kept())
        try:
            await duty()
            kept.failures = 0
            kept.errors.goes_well("%s", name)
        except Exception as error:
            kept.errors.note(error, "%s failed; it is tried again at its next time", name)
            kept.failures += 1

    def _has_recovered(self, kept: _Kept) -> bool:
        return kept.running_since is not None and self.clock() - kept.running_since >= _HEALTHY_SECONDS

    def _is_failing(self, kept: _Kept) -> bool:
        return kept.failures >= _KEEPS_FAILING and not self._has_recovered(kept)


async def _pause(seconds: float, stop: asyncio.Event | None) -> None:
    """Sleep so long, or until the stop."""
    if stop is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
