"""What Slack hands out for a short time: trigger ids (3 seconds, one use), response URLs (30 minutes, five uses)."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.wire.slack.web_api import Refused

TRIGGER_SECONDS: Final = 3.0
RESPONSE_SECONDS: Final = 1800.0
RESPONSE_USES: Final = 5

_numbers = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class Triggers:
    """The trigger ids that were issued and when."""

    clock: Callable[[], float]
    _issued: dict[str, float] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def issue(self) -> str:
        """A new trigger id."""
        trigger = f"{next(_numbers)}.1.{'a' * 32}"
        self._issued[trigger] = self.clock()
        return trigger

    def redeem(self, trigger: str | None) -> None:
        """Take a trigger id; refuses one that is unknown, used or old."""
        if trigger not in self._issued:
            raise Refused("invalid_trigger_id")
        if trigger in self._used:
            raise Refused("exchanged_trigger_id")
        if self.clock() - self._issued[trigger] > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        self._used.add(trigger)


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """Where an interaction may be answered for a while: in which channel and to whom."""

    team_id: str
    channel: str
    user: str
    issued_at: float
    message_ts: str | None = None
    uses: int = 0


@dataclass(slots=True, kw_only=True)
class ResponseUrls:
    """The response URLs that were issued, by their ids."""

    clock: Callable[[], float]
    _issued: dict[str, ResponseUrl] = field(default_factory=dict)

    def issue(self, team_id: str, channel: str, user: str, message_ts: str | None = None) -> str:
        """The id of a new response URL."""
        number = f"{next(_numbers)}"
        self._issued[number] = ResponseUrl(
            team_id=team_id, channel=channel, user=user, issued_at=self.clock(), message_ts=message_ts
        )
        return number

    def redeem(self, number: str) -> ResponseUrl | None:
        """The response URL, one use counted, or None where it is unknown, old or used up."""
        url = self._issued.get(number)
        if url is None or self.clock() - url.issued_at > RESPONSE_SECONDS or url.uses >= RESPONSE_USES:
            return None
        url.uses += 1
        return url
