"""A workspace's share of calls: so many of a method in a minute, for all its jobs, results before progress."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from handlers.messages.chat_platform import TryLater

# Slack's tiers, in calls a minute; the window is a little longer than a minute, since requests take time to arrive.
_TIER_2: Final = 20
_TIER_3: Final = 50
_TIER_4: Final = 100
_WINDOW_SECONDS: Final = 62.0
_LIMITS: Final = {
    "chat.update": _TIER_3,
    "chat.delete": _TIER_3,
    "conversations.open": _TIER_3,
    "usergroups.users.list": _TIER_2,
}
# A message a second for each channel.
_POST_SECONDS: Final = 1.1
# The share that progress leaves to results, and how evenly it spreads the rest.
_KEPT_FOR_RESULTS: Final = 15
_PROGRESS_SECONDS: Final = 1.5
_PATIENCE_SECONDS: Final = 10.0


@dataclass(slots=True, kw_only=True)
class RateLimit:
    """Counts one workspace's calls; `clock` tells seconds."""

    clock: Callable[[], float] = time.monotonic
    _calls: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _drawn_at: float = float("-inf")

    async def turn(self, method: str, channel: str | None) -> None:
        """Wait for a turn to call `method` and take it; raises TryLater where the wait would be long."""
        key, limit, seconds = _limit(method, channel)
        while (wait := self._wait(key, limit, seconds)) > 0:
            if wait > _PATIENCE_SECONDS:
                raise TryLater(wait, f"{method} has been called as often as Slack allows for now")
            await asyncio.sleep(wait)
        self._calls[key].append(self.clock())

    async def progress_turn(self) -> None:
        """Wait until an edit that only shows progress leaves enough calls for results."""
        while (wait := self._progress_wait()) > 0:  # noqa: ASYNC110 - what is waited for is the time itself
            await asyncio.sleep(wait)
        self._drawn_at = self.clock()

    def _progress_wait(self) -> float:
        spread = self._drawn_at + _PROGRESS_SECONDS - self.clock()
        return max(spread, self._wait("chat.update", _TIER_3 - _KEPT_FOR_RESULTS, _WINDOW_SECONDS))

    def _wait(self, key: str, limit: int, seconds: float) -> float:
        """0, or how long until fewer than `limit` calls lie within the last `seconds`."""
        now, calls = self.clock(), self._calls[key]
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        return 0.0 if len(calls) < limit else calls[len(calls) - limit] + seconds - now


def _limit(method: str, channel: str | None) -> tuple[str, int, float]:
    """The key under which a call is counted, and how many are allowed in how many seconds."""
    if method == "chat.postMessage":
        return f"{method} {channel}", 1, _POST_SECONDS
    return method, _LIMITS.get(method, _TIER_4), _WINDOW_SECONDS
