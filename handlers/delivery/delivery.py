"""Posts what is recorded and not yet posted, and keeps members up to date until then."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

from handlers.commands.context import AppContext
from handlers.jobs.result_images import shown_images
from handlers.messages.chat_platform import ChatPlatform, TryLater, Undeliverable
from handlers.messages.job_status import in_progress
from handlers.messages.message import Message
from storage.queue.jobs import Job, JobKind, JobState
from storage.queue.outbox import Reply

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_FIRST_RETRY_SECONDS = 2.0
_SECONDS_BETWEEN_PLACES = 10.0
"""A place in the queue costs a look at every member's share, and changes slowly."""
_AT_ONCE = 8
"""So many messages are worked on at a time: enough to hide the network, few enough to leave the loop to others."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One platform's delivery loop; `poster` names this process, so that two never post the same reply."""

    context: AppContext
    chat: ChatPlatform
    poster: str
    clock: Callable[[], float] = time.monotonic
    _shown: dict[int, tuple[float, Message]] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; results never wait for progress."""
        await asyncio.gather(self._repeat(self.deliver_due, stop), self._repeat(self.show_progress, stop))

    async def deliver_due(self) -> int:
        """Post every finished job whose reply is due; returns how many were settled."""
        replies = await self.context.outbox.due(self.chat.platform, self.poster)
        await _all(self._deliver(reply) for reply in replies)
        return len(replies)

    async def show_progress(self) -> None:
        """Edit the status messages whose words have changed, none more often than the platform likes."""
        replies = await self.context.outbox.open_replies(self.chat.platform)
        await _all(self._show(reply) for reply in replies)
        open_ids = {reply.job.id for reply in replies}
        self._shown = {job_id: shown for job_id, shown in self._shown.items() if job_id in open_ids}

    async def _repeat(self, duty: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
        """Do `duty` again and again; an error is logged and costs one round."""
        while not stop.is_set():
            try:
                await duty()
            except Exception:
                _log.exception("delivery to %s failed; the next round tries again", self.chat.platform)
            try:
                await asyncio.wait_for(stop.wait(), _TICK_SECONDS)
            except TimeoutError:
                continue

    async def _show(self, reply: Reply) -> None:
        shown_at, shown = self._shown.get(reply.job.id, (float("-inf"), None))
        waiting = reply.job.state is JobState.QUEUED
        pace = self.chat.seconds_between_edits
        if self.clock() - shown_at < (max(pace, _SECONDS_BETWEEN_PLACES) if waiting else pace):
            return
        place = None
        if waiting and self.context.jobs.waits(reply.job):
            place = await self.context.queue.place(reply.job.guild_id, reply.job.id)
        message = in_progress(reply.job, self.context.jobs.title(reply.job), place, self._why_it_rests(reply.job))
        if message == shown:
            return
        self._shown[reply.job.id] = (self.clock(), message)
        try:
            await self.chat.show_progress(reply.address, message)
        except TryLater as later:
            _log.info("progress not shown: %s", later, extra=reply.job.log_context())

    def _why_it_rests(self, job: Job) -> str:
        hours = self.context.training_hours
        return "" if job.kind != JobKind.TRAIN or hours.are_now else hours.words

    async def _deliver(self, reply: Reply) -> None:
        try:
            message = await self._final_message(reply)
            message_id = await self.chat.deliver(reply.address, message, reply.nonce)
        except Undeliverable as why:
            _log.warning("kept for history: %s", why, extra=reply.job.log_context())
            await self.context.outbox.mark_kept(reply, str(why))
        except TryLater as later:
            await self.context.outbox.defer(reply, later.seconds)
        except Exception:
            _log.exception("posting failed; it will be tried again", extra=reply.job.log_context())
            await self.context.outbox.defer(reply, _FIRST_RETRY_SECONDS * 2 ** min(reply.tries, 8))
        else:
            await self.context.outbox.mark_posted(reply, message_id)
            _log.info("posted", extra=reply.job.log_context())

    async def _final_message(self, reply: Reply) -> Message:
        shown = await shown_images(reply.job, reply.address, self.context)
        message = await self.context.jobs.final_message(reply.job, shown.images, self.context)
        return replace(message, lines=(*message.lines, shown.withheld)) if shown.withheld else message


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Do all of `work`, several at once; one that fails stops no other, and its error is raised at the end."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(job: Awaitable[None]) -> None:
        async with turns:
            await job

    for result in await asyncio.gather(*(in_turn(job) for job in work), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
