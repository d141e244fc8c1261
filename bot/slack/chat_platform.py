"""Slack's side of delivery: one status message a job, edited in place until it shows the images."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.application import Application
from bot.slack.client import RateLimitedClient
from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import FAULTS, NOT_TAKEN, WAITING, delivery_errors, not_shown_sentence, reason_of, refusal_of
from bot.slack.message_ids import MessageId
from bot.slack.pending_uploads import PendingUpload, PendingUploads
from bot.slack.progress import WorkspaceProgress
from bot.slack.rendering import Renderer, SlackMessage
from bot.slack.routes import edit, mention, post, put
from bot.slack.tenant import Tenant
from bot.slack.uploads import UploadRefused, Uploads
from bot.slack.workspaces import Workspaces
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Attachment, Message, Mood
from storage.platform import Platform
from storage.queue.outbox import Outbox
from storage.queue.reply_address import ReplyAddress

_EDIT_SECONDS: Final = 3.0


# A file may be refused for a moment after Slack has called it processed.
_SETTLING_SECONDS: Final = 60.0


class _NotProcessed(Exception):
    """Slack had hours for a file and is not done with it."""


@dataclass(slots=True, kw_only=True)
class SlackPlatform:
    """Posts by the bot's token of the job's tenant, looked up again each time."""

    workspaces: Workspaces
    outbox: Outbox
    pending: PendingUploads
    renderer: Renderer
    uploads: Uploads
    application: Application = field(default_factory=Application)
    _boards: dict[str, WorkspaceProgress] = field(default_factory=dict)
    _standing: dict[int, MessageId] = field(default_factory=dict)
    _delivering: set[int] = field(default_factory=set)

    @property
    def platform(self) -> Platform:
        """Slack."""
        return Platform.SLACK

    @property
    def application_id(self) -> str:
        """The Slack app, once it is known."""
        return self.application.id

    @property
    def seconds_between_edits(self) -> float:
        """Slack counts edits by minute and workspace; the progress of each workspace spreads them further."""
        return _EDIT_SECONDS

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        """Hand the newest state to the workspace's progress; returns at once."""
        self._board(address.tenant).show(_job_id(message), address, message)

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:
        """Put the images into the status message, or post them by another route; raises as the seam says.

        The status message is posted and remembered before anything is put into it, so that a crash posts nothing
        twice: it repeats only an edit, which changes nothing.
        """
        job_id = _job_id(message)
        self._delivering.add(job_id)
        try:
            await self._board(address.tenant).end(job_id)
            place = await self._deliver(job_id, address, message, nonce)
        except Undeliverable:
            await self._forget(job_id, message, nonce)
            raise
        finally:
            self._delivering.discard(job_id)
        await self._forget(job_id, message, nonce)
        return place.text

    async def _deliver(self, job_id: int, address: ReplyAddress, message: Message, nonce: str) -> MessageId:
        with delivery_errors():
            client = await self.workspaces.client(Tenant.parse(address.tenant))
            standing = None
            try:
                standing = await self._status(client, job_id, address, message)
                file_ids = await self._files(client, message, nonce)
                place = await put(client, address, standing, self.renderer.content(message, file_ids))
            except SlackApiError as error:
                if refusal_of(error) in WAITING:
                    raise
                await self._retry_upload(error, message, nonce)
                await self._say(client, address, standing, message, not_shown_sentence(error))
                raise Undeliverable(f"the result was not taken: {reason_of(error)}") from error
            except (_NotProcessed, UploadRefused) as error:
                await self._say(client, address, standing, message, NOT_TAKEN)
                raise Undeliverable(str(error)) from error
            if message.mentions:
                words = "this did not work out." if message.mood is Mood.FAILED else "your pictures are here."
                await mention(client, address, place, words)
        return place

    async def _say(
        self, client: RateLimitedClient, address: ReplyAddress, standing: MessageId | None, message: Message, why: str
    ) -> None:
        """Say what became of a result, without files and buttons; raises Undeliverable where even that is refused."""
        lines = (why,) if message.images else message.lines
        sorry = Message(headline=message.headline, mood=Mood.FAILED, lines=lines, job_id=message.job_id)
        try:
            await put(client, address, standing, self.renderer.content(sorry))
        except SlackApiError as error:
            if refusal_of(error) in WAITING:
                raise
            raise Undeliverable(f"not even words are taken: {reason_of(error)}") from error

    async def _forget(self, job_id: int, message: Message, nonce: str) -> None:
        """Drop what is kept of a job that is settled."""
        self._standing.pop(job_id, None)
        if message.images:
            await self.pending.drop(nonce)

    async def content(self, address: ReplyAddress, message: Message) -> SlackMessage:
        """A message of no running job, its images uploaded and processed; raises as `deliver` does."""
        if not message.images:
            return self.renderer.content(message)
        with delivery_errors():
            client = await self.workspaces.client(Tenant.parse(address.tenant))
            file_ids = await self.uploads.upload(client, message.images)
            if not await self.uploads.ready(client, file_ids, patient=True):
                raise TryLater(_EDIT_SECONDS, "Slack has not processed the files")
            return self.renderer.content(message, file_ids)

    async def send(self, address: ReplyAddress, content: SlackMessage, files: tuple[Attachment, ...] = ()) -> None:
        """Post a message of `content`; files that are no images go to the member alone."""
        with delivery_errors():
            client = await self.workspaces.client(Tenant.parse(address.tenant))
            if files:
                opened = await client.conversations_open(users=address.user_id)
                await self.uploads.share(client, opened["channel"]["id"], content.text, files)
            else:
                await post(client, address, content)

    async def close(self) -> None:
        """Stop drawing progress."""
        for board in self._boards.values():
            await board.close()

    def _board(self, tenant: str) -> WorkspaceProgress:
        """The workspace's progress."""
        if tenant not in self._boards:
            self._boards[tenant] = WorkspaceProgress(draw=self._draw, turn=partial(self._progress_turn, tenant))
        return self._boards[tenant]

    async def _progress_turn(self, tenant: str) -> None:
        client = await self.workspaces.client(Tenant.parse(tenant))
        await client.rate_limit.progress_turn()

    async def _draw(self, job_id: int, address: ReplyAddress, message: Message) -> None:
        client = await self.workspaces.client(Tenant.parse(address.tenant))
        standing = self._find(job_id, address)
        if standing is None:
            await self._post_status(client, job_id, address, message)
        else:
            await edit(client, address, standing, self.renderer.content(message))
            if job_id not in self._delivering:  # another process may, and this edit may have come after it
                await self.outbox.post_again(job_id, standing.text)

    async def _status(
        self, client: RateLimitedClient, job_id: int, address: ReplyAddress, message: Message
    ) -> MessageId | None:
        """The status message; posted first where there is none and images are to be put into it."""
        standing = self._find(job_id, address)
        if standing is None and message.images:
            working = Message(headline=message.headline, mood=Mood.WORKING, job_id=job_id)
            standing = await self._post_status(client, job_id, address, working)
        return standing

    async def _post_status(
        self, client: RateLimitedClient, job_id: int, address: ReplyAddress, message: Message
    ) -> MessageId:
        posted = await post(client, address, self.renderer.content(message))
        standing = MessageId.parse(await self.outbox.set_message(job_id, posted.text))
        self._standing[job_id] = standing
        if standing != posted:  # another process has posted one at the same moment
            with suppress(*FAULTS):
                await client.chat_delete(channel=posted.channel, ts=posted.ts)
        return standing

    def _find(self, job_id: int, address: ReplyAddress) -> MessageId | None:
        """The status message that this process posted, which the address may not know yet, else the address's."""
        if job_id in self._standing:
            return self._standing[job_id]
        return MessageId.parse(address.message_id) if address.message_id else None

    async def _files(self, client: RateLimitedClient, message: Message, nonce: str) -> tuple[str, ...]:
        """The ids of a message's files, uploaded once however often posting is tried, and processed by Slack.

        Raises TryLater while Slack is not done with them, _NotProcessed once it had its time.
        """
        if not message.images:
            return ()
        pending = await self.pending.get(nonce)
        if pending is None or not pending.files:
            pending = await self.pending.put(nonce, await self.uploads.upload(client, message.images))
        if not await self.uploads.ready(client, pending.files):
            raise self._not_yet(pending)
        return pending.files

    async def _retry_upload(self, error: SlackApiError, message: Message, nonce: str) -> None:
        """Raise TryLater where the same images may be shown after all: uploaded again, or once Slack has them ready."""
        if not message.images:
            return
        match refusal_of(error):
            case SlackRefusal.FILE_GONE:
                if await self.pending.lose(nonce):
                    raise TryLater(_EDIT_SECONDS, f"uploading again: {reason_of(error)}", alone=True) from error
            case SlackRefusal.NOT_READY:
                pending = await self.pending.get(nonce)
                if pending is not None and self.pending.age(pending) < _SETTLING_SECONDS:
                    raise TryLater(_EDIT_SECONDS, reason_of(error), alone=True) from error
            case _:
                return

    def _not_yet(self, pending: PendingUpload) -> Exception:
        wait = self.pending.wait(pending)
        if wait is None:
            return _NotProcessed("Slack did not process the files")
        return TryLater(wait, f"Slack is not done with {', '.join(pending.files)}", alone=True)


def _job_id(message: Message) -> int:
    if message.job_id is None:
        raise ValueError(f"a message of no job has no status: {message.headline}")
    return message.job_id
