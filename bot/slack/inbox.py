"""Payloads that outlive the process which received them: stored first, and taken up again where nobody answered."""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from slack_bolt.request.async_request import AsyncBoltRequest

from bot.slack.deduplication import key_of
from pipeline.errors import UserError
from storage.errors import StorageError
from storage.platform import Platform
from storage.queue.inbox import Inbox

_log = logging.getLogger(__name__)

Body = Mapping[str, Any]

_STORE_SECONDS: Final = 2.0
"""Slack waits three seconds for an acknowledgement; the rest is for the refusal."""

_ANSWERABLE_SECONDS: Final = 29 * 60.0
"""Slack's addresses for answers live for thirty minutes; the last is left for answers that are on their way."""

_MOST_ATTEMPTS: Final = 3
_NOT_STORED: Final = "Limner cannot take this now, since its database does not answer; send it again in a minute."
_TOO_LATE: Final = "Limner was stopped before it could answer this; please send it again."
_DEADLY: Final = "Limner was stopped each time it tried to answer this; send it again in another way."

_RESUMED: Final[ContextVar[int | None]] = ContextVar("resumed", default=None)


class NotStored(UserError):
    """A payload could not be stored, so that nothing was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackInbox:
    """Where payloads are kept until they are answered, by whichever process."""

    inbox: Inbox

    @asynccontextmanager
    async def receive(self, body: Body) -> AsyncIterator[bool]:
        """Store the payload until the block ends; whether it is this process's to answer. Raises NotStored."""
        received_id = _RESUMED.get()
        if received_id is None:
            # One without an id is always new.
            key = hashlib.sha256((key_of(body) or uuid.uuid4().hex).encode()).hexdigest()
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    received_id = await self.inbox.receive(Platform.SLACK, key, body)
            except (StorageError, TimeoutError) as error:
                _log.warning("a payload cannot be stored: %s", error or type(error).__name__)
                raise NotStored(_NOT_STORED) from error
        if received_id is None:
            yield False
            return
        async with self.inbox.handling(received_id):
            yield True

    async def resume(
        self,
        dispatch: Callable[[AsyncBoltRequest], Awaitable[object]],
        refuse: Callable[[Body, str], Awaitable[None]],
        stale_seconds: float,
    ) -> None:
        """Take up what other processes left, and what this one could not answer."""
        for received in await self.inbox.take_left(Platform.SLACK, stale_seconds):
            deadly = received.attempt > _MOST_ATTEMPTS
            if deadly or received.age >= _ANSWERABLE_SECONDS:
                async with self.inbox.handling(received.id):
                    await refuse(received.payload, _DEADLY if deadly else _TOO_LATE)
                continue
            token = _RESUMED.set(received.id)
            try:
                # As it comes over a socket: there a payload bears no signature.
                await dispatch(AsyncBoltRequest(mode="socket_mode", body=received.payload))
            finally:
                _RESUMED.reset(token)


def is_resumed() -> bool:
    """Whether the payload that is handled was received, and acknowledged, before."""
    return _RESUMED.get() is not None
