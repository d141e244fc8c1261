"""Where an answer goes, in values that outlive every token of a platform, and the outbox that sees to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from storage.database import Database
from storage.guilds import Platform
from storage.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyAddress:
    """Where the answer to a request is posted; `message_id` is the status message, once there is one."""

    platform: Platform
    channel_id: str
    user_id: str
    thread_id: str | None = None
    message_id: str | None = None
    private: bool = False
    locale: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is owed: the job as it stood when read, where to post, and a `nonce` that never changes.

    A platform that refuses a second message with the same nonce keeps a crash between post and mark from showing.
    `tries` counts how often posting was put off.
    """

    job: Job
    address: ReplyAddress
    nonce: str
    tries: int


class Outbox:
    """Hands each final, unposted reply to one poster at a time."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time, lease_seconds: float = 60) -> None:
        self._database = database
        self._clock = clock
        self._lease_seconds = lease_seconds

    async def due(self, platform: Platform, poster: str, limit: int = 10) -> list[Reply]:
        """Leases up to `limit` replies of final jobs to `poster`, oldest first; each falls due again when it expires."""
        raise NotImplementedError

    async def mark_posted(self, reply: Reply, message_id: str) -> bool:
        """Records that the reply is posted as `message_id`; False when it was already settled."""
        raise NotImplementedError

    async def mark_kept(self, reply: Reply, why: str) -> bool:
        """Records that the reply cannot be delivered and stays in the history; False when it was already settled."""
        raise NotImplementedError

    async def defer(self, reply: Reply, seconds: float) -> bool:
        """Ends the lease and makes the reply due again after `seconds`; False when it was already settled."""
        raise NotImplementedError

    async def open_replies(self, platform: Platform, limit: int = 200) -> list[Reply]:
        """Up to `limit` replies whose jobs are not final, running jobs first: those whose progress is shown."""
        raise NotImplementedError

    async def set_message(self, job_id: int, message_id: str) -> None:
        """Remembers the status message that shows a job's progress."""
        raise NotImplementedError

    async def unsettled(self, platform: Platform) -> int:
        """How many replies of the platform are neither posted nor kept, their jobs final or not."""
        raise NotImplementedError
