"""Each interaction and each event is heard once, however often Slack sends it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Slack repeats an event at once, after one minute and after five.
_REMEMBER_SECONDS: Final = 900.0


@dataclass(slots=True, kw_only=True)
class Once:
    """Remembers ids for a while; an event that was not acknowledged before a crash may come again after it."""

    clock: Callable[[], float] = time.monotonic
    _heard: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def is_new(self, body: Mapping[str, Any]) -> bool:
        """Whether this payload was not heard before; one without an id is always new."""
        key = body.get("event_id") or body.get("trigger_id")
        now = self.clock()
        while self._heard and next(iter(self._heard.values())) <= now - _REMEMBER_SECONDS:
            self._heard.popitem(last=False)
        if not key:
            return True
        if key in self._heard:
            return False
        self._heard[str(key)] = now
        return True
