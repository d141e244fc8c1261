"""Payloads that outlive the process which received them: stored first, and taken up again where nobody answered."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from slack_bolt.request.async_request import AsyncBoltRequest

from bot.slack.answers import OPEN_FORM
from bot.slack.application import Application, application_of
from bot.slack.deduplication import key_of
from handlers.messages.refusal import DEADLY, NOT_STORED, refusal
from pipeline.errors import UserError
from storage.errors import StorageError
from storage.platform import Platform
from storage.queue.inbox import MOST_ATTEMPTS, STORE_SECONDS, Inbox, Received

Body = Mapping[str, Any]
Dispatch = Callable[[AsyncBoltRequest], Awaitable[object]]
Refuse = Callable[[Body, str], Awaitable[None]]

_ANSWERABLE_SECONDS: Final = 29 * 60.0
"""Slack's addresses for answers live for thirty minutes; the last is left for answers that are on their way."""

_KEPT_EVENTS: Final = {"app_mention", "app_uninstalled", "tokens_revoked"}
_TOO_LATE: Final = "Limner was stopped before it could answer this; please send it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The payload that is handled, as it lies in the inbox; `resumed` says that it was acknowledged before."""

    received_id: int
    resumed: bool = False


class NotStored(UserError):
    """A payload could not be stored, so that nothing was accepted."""


_STORED: Final[ContextVar[_Stored | NotStored | None]] = ContextVar("stored", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackInbox:
    """Where payloads are kept until they are answered, by whichever process."""

    inbox: Inbox
    application: Application

    async def store(self, body: Body) -> bool:
        """Store a payload that is kept, for the listener to handle; whether no process received it before.

        Raises NotStored.
        """
        if is_resumed():
            return True
        _STORED.set(None)  # one task may read several requests
        if not _is_kept(body):
            return True
        # One without an id is always new.
        key = hashlib.sha256((key_of(body) or uuid.uuid4().hex).encode()).hexdigest()
        try:
            async with asyncio.timeout(STORE_SECONDS):
                application_id = self.application.learn(application_of(body))
                received_id = await self.inbox.receive(Platform.SLACK, key, body, application_id)
        except (StorageError, TimeoutError) as error:
            _STORED.set(why := NotStored(_why(error)))
            raise why from error
        if received_id is None:
            return False
        _STORED.set(_Stored(received_id=received_id))
        return True

    @asynccontextmanager
    async def handling(self) -> AsyncIterator[None]:
        """Hold the stored payload until it is answered. Raises NotStored where it could not be stored."""
        stored = _STORED.get()
        assert stored is not None, "every payload that is kept is stored first"
        if isinstance(stored, NotStored):
            raise stored
        async with self.inbox.handling(stored.received_id):
            yield

    async def resume(self, dispatch: Dispatch, refuse: Refuse, stale_seconds: float) -> None:
        """Take up what other processes left, and what this one could not answer."""
        left = await self.inbox.take_left(Platform.SLACK, stale_seconds, self.application.id)
        # All at once, since what waits here for another may be taken up by another process meanwhile.
        await asyncio.gather(*(self._resume(received, dispatch, refuse) for received in left))

    async def _resume(self, received: Received, dispatch: Dispatch, refuse: Refuse) -> None:
        deadly = received.attempt > MOST_ATTEMPTS
        if deadly or received.age >= _ANSWERABLE_SECONDS:
            async with self.inbox.handling(received.id):
                await refuse(received.payload, DEADLY if deadly else _TOO_LATE)
            return
        _STORED.set(_Stored(received_id=received.id, resumed=True))
        # As it comes over a socket: there a payload bears no signature.
        await dispatch(AsyncBoltRequest(mode="socket_mode", body=received.payload))


def is_resumed() -> bool:
    """Whether the payload that is handled was received, and acknowledged, before."""
    stored = _STORED.get()
    return isinstance(stored, _Stored) and stored.resumed


def _why(error: StorageError | TimeoutError) -> str:
    return refusal(error) if isinstance(error, StorageError) else NOT_STORED


def _is_kept(body: Body) -> bool:
    """Whether someone waits for more than a form, which no later process could open."""
    match body.get("type"):
        case "event_callback":
            return body["event"].get("type") in _KEPT_EVENTS
        case "block_actions":
            return not str(body["actions"][0].get("action_id")).startswith(OPEN_FORM)
        case "view_submission":
            return True
        case _:
            return "command" in body
