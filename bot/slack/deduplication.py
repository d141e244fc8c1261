"""Each interaction and each event is heard once by a process, however often Slack sends it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Slack repeats an event at once, after one minute and after five.
_REMEMBER_SECONDS: Final = 900.0


@dataclass(slots=True, kw_only=True)
class PayloadDeduplication:
    """Remembers ids of payloads in memory, where no request waits for it; of several processes the inbox knows."""

    clock: Callable[[], float] = time.monotonic
    _heard: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def is_new(self, body: Mapping[str, Any]) -> bool:
        """Whether this process did not receive this payload before; one without an id is always new."""
        key = key_of(body)
        now = self.clock()
        while self._heard and next(iter(self._heard.values())) <= now - _REMEMBER_SECONDS:
            self._heard.popitem(last=False)
        if not key:
            return True
        if key in self._heard:
            return False
        self._heard[key] = now
        return True

    def forget(self, body: Mapping[str, Any]) -> None:
        """Let the payload be new when Slack sends it again, since nothing was made of it."""
        self._heard.pop(key_of(body), None)


def key_of(body: Mapping[str, Any]) -> str:
    """What tells a payload from every other; empty where Slack gave it no id."""
    return str(body.get("event_id") or body.get("trigger_id") or "")
