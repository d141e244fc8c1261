"""A workspace's progress: the newest state of each job, drawn one at a time at a rate that leaves room for results."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from bot.slack.errors import delivery_errors
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message
from storage.queue.reply_address import ReplyAddress

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 1000
_CLOSING_SECONDS: Final = 3.0


@dataclass(slots=True, kw_only=True)
class WorkspaceProgress:
    """`draw` updates one job's status message; `turn` waits until the workspace's rate limit allows it."""

    draw: Callable[[int, ReplyAddress, Message], Awaitable[None]]
    turn: Callable[[], Awaitable[None]]
    _newest: dict[int, tuple[ReplyAddress, Message]] = field(default_factory=dict)
    _drawing: dict[int, asyncio.Event] = field(default_factory=dict)
    _ended: OrderedDict[int, None] = field(default_factory=OrderedDict)
    _drawer: asyncio.Task[None] | None = None

    def show(self, job_id: int, address: ReplyAddress, message: Message) -> None:
        """Take a job's newest state, which replaces one not drawn yet; nothing is drawn of a job that has ended."""
        if job_id in self._ended:
            return
        self._newest[job_id] = (address, message)
        if self._drawer is None or self._drawer.done():
            self._drawer = asyncio.create_task(self._draw_all())

    async def end(self, job_id: int) -> None:
        """Draw nothing more of this job, even if it was read before the job ended; returns when no drawing runs."""
        self._newest.pop(job_id, None)
        self._ended[job_id] = None
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        if job_id in self._drawing:
            await self._drawing[job_id].wait()

    async def close(self) -> None:
        """Draw what is still to be drawn, for a moment, then stop."""
        if self._drawer is not None:
            await asyncio.wait((self._drawer,), timeout=_CLOSING_SECONDS)
        self._newest.clear()
        if self._drawer is not None:
            self._drawer.cancel()
            await asyncio.gather(self._drawer, return_exceptions=True)

    async def _draw_all(self) -> None:
        while self._newest:
            try:
                with delivery_errors():
                    await self.turn()
            except (TryLater, Undeliverable) as why:
                # Newer states will come, and ask again.
                _log.info("progress is not shown: %s", why)
                self._newest.clear()
            except Exception:
                _log.exception("progress is not shown; the next state will be")
                self._newest.clear()
            if self._newest:
                await self._draw_next()

    async def _draw_next(self) -> None:
        job_id = next(iter(self._newest))
        address, message = self._newest.pop(job_id)
        drawn = self._drawing[job_id] = asyncio.Event()
        try:
            with delivery_errors():
                await self.draw(job_id, address, message)
        except (TryLater, Undeliverable) as why:
            _log.info("progress of job %d not shown: %s", job_id, why)
        except Exception:
            _log.exception("progress of job %d could not be shown; the next state will be", job_id)
        finally:
            del self._drawing[job_id]
            drawn.set()
