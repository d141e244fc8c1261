"""Files that were uploaded for a reply and are not shown yet: kept, so that none is uploaded twice."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

from storage.queue.key_values import KeyValues

_GIVE_UP_SECONDS: Final = 6 * 3600.0
_SHORTEST_SECONDS: Final = 4.0
_LONGEST_SECONDS: Final = 300.0
_MOST_UPLOADS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingUpload:
    """The files of a reply, uploaded at Unix second `at` for the `uploads`th time."""

    files: tuple[str, ...]
    at: float
    uploads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingUploads:
    """Uploads by the nonce of their reply; `clock` tells Unix seconds."""

    notes: KeyValues
    clock: Callable[[], float] = time.time

    async def get(self, nonce: str) -> PendingUpload | None:
        """What was uploaded for the reply, by any process."""
        text = await self.notes.get(_name(nonce))
        if text is None:
            return None
        values = json.loads(text)
        return PendingUpload(**{**values, "files": tuple(values["files"])})

    async def put(self, nonce: str, files: tuple[str, ...]) -> PendingUpload:
        """Remember what was just uploaded."""
        before = await self.get(nonce)
        pending = PendingUpload(files=files, at=self.clock(), uploads=before.uploads + 1 if before else 1)
        await self._store(nonce, pending)
        return pending

    async def lose(self, nonce: str) -> bool:
        """Slack no longer has the files; whether they may be uploaded once more."""
        pending = await self.get(nonce)
        if pending is None:
            return True
        await self._store(nonce, replace(pending, files=()))
        return pending.uploads < _MOST_UPLOADS

    async def drop(self, nonce: str) -> None:
        """The reply is settled."""
        await self.notes.drop(_name(nonce))

    def wait(self, pending: PendingUpload) -> float | None:
        """When to ask again, ever less often; None where Slack has had its time."""
        age = self.age(pending)
        return None if age > _GIVE_UP_SECONDS else min(max(age / 2, _SHORTEST_SECONDS), _LONGEST_SECONDS)

    def age(self, pending: PendingUpload) -> float:
        """How many seconds ago the files were uploaded."""
        return self.clock() - pending.at

    async def _store(self, nonce: str, pending: PendingUpload) -> None:
        await self.notes.put(_name(nonce), json.dumps(asdict(pending)))


def _name(nonce: str) -> str:
    return f"slack files of {nonce}"
