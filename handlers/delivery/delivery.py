"""Posts what is recorded and not yet posted, and keeps members up to date until then."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from handlers.commands.context import AppContext
from handlers.delivery.turns import Turns
from handlers.jobs.result_images import shown_images
from handlers.messages.chat_platform import ChatPlatform, TryLater, Undeliverable
from handlers.messages.job_status import in_progress, interrupted
from handlers.messages.message import Message
from pipeline.error_log import ErrorLog
from pipeline.errors import UserError
from storage.queue.jobs import Job, JobKind, JobState
from storage.queue.outbox import Reply

_log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.25
_FIRST_RETRY_SECONDS: Final = 2.0
_SECONDS_BETWEEN_PLACES: Final = 10.0
"""A place in the queue costs a look at every member's share, and changes slowly."""
_AT_ONCE: Final = 24
"""So many messages are under way at a time, with their images in memory: enough that some that hang are no matter."""
_AT_ONCE_OF_A_GUILD: Final = 4
_MOST_DOUBLINGS: Final = 5
_LAST_WORD_SECONDS: Final = 3.0
_RENEWAL_SECONDS: Final = 20.0
"""How often the leases of what is being posted are renewed: an upload may take longer than one of them lasts."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One platform's delivery loop; `poster` names this process, so that two never post the same reply.

    Each destination has an order of its own and waits for no other. At the end, what is under way gets `grace_seconds`;
    what is broken off then is posted by the next process, with the same nonce.
    """

    context: AppContext
    chat: ChatPlatform
    poster: str
    clock: Callable[[], float] = time.monotonic
    grace_seconds: float = 10.0
    _shown: dict[int, tuple[float, Message]] = field(default_factory=dict)
    _posting: Turns = field(init=False)
    _showing: Turns = field(init=False)
    _posted_jobs: set[int] = field(default_factory=set)
    _renewed_at: float = float("-inf")
    _error: Exception | None = None
    _errors: ErrorLog = field(default_factory=lambda: ErrorLog(_log))

    def __post_init__(self) -> None:
        new = partial(Turns, at_once=_AT_ONCE, of_guild=_AT_ONCE_OF_A_GUILD, failed=self._note)
        self._posting, self._showing = new(), new()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; results wait neither for progress nor for those of another destination."""
        try:
            await asyncio.gather(
                self._repeat(self._begin_posting, self._posting, stop),
                self._repeat(self._begin_showing, None, stop),
            )
        finally:
            await asyncio.gather(self._posting.close(self.grace_seconds), self._showing.close(0.0))
        await self._say_interrupted()

    async def _say_interrupted(self) -> None:
        """Tell those whose images were being made that they go on later; where that fails, only a word is missing."""
        begun = {job_id for job_id, (_, message) in self._shown.items() if message.bar is not None}
        if not begun:
            return
        try:
            async with asyncio.timeout(_LAST_WORD_SECONDS):
                for reply in await self.context.outbox.open_replies(
                    self.chat.platform, application_id=self.chat.application_id
                ):
                    if reply.job.id in begun and reply.job.state is JobState.QUEUED:
                        message = interrupted(reply.job, self.context.jobs.title(reply.job))
                        await self.chat.show_progress(reply.address, message)
        except (TimeoutError, TryLater, UserError) as error:
            _log.info("not every member is told that Limner is stopped: %s", error)

    async def deliver_due(self) -> int:
        """Post every finished job whose reply is due, to the end; returns how many were begun."""
        count = 0
        while (begun := await self._begin_posting()) or self._posting.is_working:
            count += begun
            await self._posting.wait_for_one()
        self._raise_noted()
        return count

    async def show_progress(self) -> None:
        """Edit the status messages whose words have changed, to the end, none more often than the platform likes."""
        left = await self._begin_showing()
        while self._showing.is_working:
            await self._showing.wait_for_one()
            left = self._begin_each(left)
        self._raise_noted()

    async def _repeat(self, begin: Callable[[], Awaitable[object]], turns: Turns | None, stop: asyncio.Event) -> None:
        """Begin what can begin at every tick, and sooner where one of `turns` has ended; an error costs one round."""
        stopping, failed, errors = asyncio.create_task(stop.wait()), 0, ErrorLog(_log)
        while not stop.is_set():
            try:
                await begin()
            except Exception as error:
                errors.note(error, "delivery to %s failed; a later round tries again", self.chat.platform)
                failed = min(failed + 1, _MOST_DOUBLINGS)
                await asyncio.wait([stopping], timeout=_TICK_SECONDS * 2**failed)
            else:
                failed = 0
                errors.goes_well("delivery to %s", self.chat.platform)
                ending = () if turns is None else turns.tasks
                await asyncio.wait((stopping, *ending), timeout=_TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    def _note(self, error: Exception) -> None:
        """An error that ended one message's turn; it gets another."""
        self._errors.note(error, "delivery to %s failed; a later round tries again", self.chat.platform)
        self._error = error

    def _raise_noted(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def _begin_posting(self) -> int:
        """Begin to post what is due where nothing is being posted yet; returns how many were begun."""
        outbox, turns = self.context.outbox, self._posting
        if self._posted_jobs and self.clock() - self._renewed_at >= _RENEWAL_SECONDS:
            self._renewed_at = self.clock()
            await outbox.renew(self.poster, self._posted_jobs)
        if not turns.free:
            return 0
        waiting = await outbox.waiting(
            self.chat.platform,
            limit=turns.free,
            passing=turns.busy,
            passing_guilds=turns.full_guilds,
            application_id=self.chat.application_id,
        )
        return sum(turns.begin(due.destination, due.guild_id, partial(self._post, due.job_id)) for due in waiting)

    async def _post(self, job_id: int) -> None:
        """Post the job's reply unless another process has taken it by now; its images are read only here."""
        self._posted_jobs.add(job_id)
        try:
            for reply in await self.context.outbox.due(self.chat.platform, self.poster, job_id=job_id):
                await self._deliver(reply)
            self._errors.goes_well("delivery to %s", self.chat.platform)
        finally:
            self._posted_jobs.discard(job_id)

    async def _begin_showing(self) -> list[Reply]:
        """Begin to show what is on its way; returns what could not begin yet."""
        replies = await self.context.outbox.open_replies(self.chat.platform, application_id=self.chat.application_id)
        open_ids = {reply.job.id for reply in replies}
        self._shown = {job_id: shown for job_id, shown in self._shown.items() if job_id in open_ids}
        return self._begin_each(replies)

    def _begin_each(self, replies: list[Reply]) -> list[Reply]:
        begin = self._showing.begin
        return [each for each in replies if not begin(str(each.job.id), each.job.guild_id, partial(self._show, each))]

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
            # First, since a process that dies in between delivers again, and the line is written once a day.
            await self.context.audit.record_daily(
                reply.job.guild_id, "Limner", "not delivered", f"a result was not delivered and is kept: {why}"
            )
            await self.context.outbox.mark_kept(reply, str(why))
        except TryLater as later:
            _log.info("delivered later: %s", later, extra=reply.job.log_context())
            put_off = self.context.outbox.defer if later.alone else self.context.outbox.rest
            await put_off(reply, later.seconds)
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
