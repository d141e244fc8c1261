"""Slack's rate limits: so many calls of a method a minute for each workspace, one message a second for each channel."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.wire.slack.specification import method as specification_of

_MINUTE: Final = 60.0
# "Short bursts of more than one message a second are allowed": this many, then one a second.
_POST_BURST: Final = 3


@dataclass(slots=True, kw_only=True)
class RateLimits:
    """Counts calls; `refused` counts those that came too soon.

    `held` are the seconds that a workspace is asked to wait, by team and method, whatever it called before.
    """

    clock: Callable[[], float]
    refused: int = 0
    held: dict[tuple[str, str], float] = field(default_factory=dict)
    times_held: int = 0
    _calls: dict[tuple[str, ...], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def seconds_to_wait(self, method: str, team_id: str, channel: str | None) -> float:
        """0 and the call is counted, or how long the caller must wait."""
        if (seconds := self.held.get((team_id, method))) is not None:
            self.times_held += 1
            return seconds
        if method == "chat.postMessage":
            return self._count((method, team_id, channel or ""), _POST_BURST, float(_POST_BURST))
        specification = specification_of(method)
        limit = None if specification is None else specification.per_minute
        return 0.0 if limit is None else self._count((method, team_id), limit, _MINUTE)

    def _count(self, key: tuple[str, ...], limit: int, seconds: float) -> float:
        now, calls = self.clock(), self._calls[key]
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        if len(calls) < limit:
            calls.append(now)
            return 0.0
        self.refused += 1
        return calls[0] + seconds - now
