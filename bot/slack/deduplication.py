"""Each interaction and each event is handled once, however often Slack sends it, across restarts too."""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from storage.queue.deduplication import Deduplication

_log = logging.getLogger(__name__)

# Slack repeats an event at once, after one minute and after five.
_REMEMBER_SECONDS: Final = 900.0


@dataclass(slots=True, kw_only=True)
class PayloadDeduplication:
    """Remembers ids of payloads: in memory, asked before the acknowledgement, and in SQL, asked after it.

    Slack waits three seconds for the acknowledgement, and a busy database may take longer.
    """

    stored: Deduplication
    clock: Callable[[], float] = time.monotonic
    _heard: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def is_new(self, body: Mapping[str, Any]) -> bool:
        """Whether this process did not receive this payload before; one without an id is always new."""
        key = _key(body)
        now = self.clock()
        while self._heard and next(iter(self._heard.values())) <= now - _REMEMBER_SECONDS:
            self._heard.popitem(last=False)
        if not key:
            return True
        if key in self._heard:
            return False
        self._heard[key] = now
        return True

    async def is_first(self, body: Mapping[str, Any]) -> bool:
        """Whether no process received this payload before; True where that cannot be known."""
        key = _key(body)
        if not key:
            return True
        try:
            return await self.stored.is_first(f"slack {hashlib.sha256(key.encode()).hexdigest()}", _REMEMBER_SECONDS)
        except Exception:
            # The member gets an error from what comes next, which needs the database too.
            _log.exception("a payload may be heard twice")
            return True


def _key(body: Mapping[str, Any]) -> str:
    return str(body.get("event_id") or body.get("trigger_id") or "")
