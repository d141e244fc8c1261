"""Slack's side of delivery: one status message a job, edited in place until it shows the images."""

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from slack_sdk.errors import SlackApiError

from bot.slack.client import RateLimitedClient
from bot.slack.errors import SlackRefusal, code_of, delivery_errors, no_files_sentence, refusal_of
from bot.slack.message_ids import MessageId
from bot.slack.progress import WorkspaceProgress
from bot.slack.rendering import Renderer
from bot.slack.routes import edit, mention, post, put
from bot.slack.tenant import Tenant
from bot.slack.uploads import Uploads
from bot.slack.workspaces import Workspaces
from handlers.messages.chat_platform import Undeliverable
from handlers.messages.message import Message, Mood
from storage.platform import Platform
from storage.queue.outbox import Outbox
from storage.queue.reply_address import ReplyAddress

_EDIT_SECONDS: Final = 3.0


@dataclass(slots=True, kw_only=True)
class SlackPlatform:
    """Posts by the bot's token of the job's tenant, looked up again each time."""

    workspaces: Workspaces
    outbox: Outbox
    renderer: Renderer
    uploads: Uploads
    _boards: dict[str, WorkspaceProgress] = field(default_factory=dict)
    _standing: dict[int, MessageId] = field(default_factory=dict)
    _uploaded: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def platform(self) -> Platform:
        """Slack."""
        return Platform.SLACK

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
        await self._board(address.tenant).end(job_id)
        try:
            place = await self._deliver(job_id, address, message, nonce)
        except Undeliverable:
            self._forget(job_id, nonce)
            raise
        self._forget(job_id, nonce)
        return place.text

    async def _deliver(self, job_id: int, address: ReplyAddress, message: Message, nonce: str) -> MessageId:
        with delivery_errors():
            client = await self.workspaces.client(Tenant.parse(address.tenant))
            standing = await self._status(client, job_id, address, message)
            file_ids = await self._upload(client, address, standing, message, nonce)
            place = await put(client, address, standing, self.renderer.content(message, file_ids))
            if message.mentions:
                words = "this did not work out." if message.mood is Mood.FAILED else "your pictures are here."
                await mention(client, address, place, words)
        return place

    def _forget(self, job_id: int, nonce: str) -> None:
        """Drop what is in memory of a job that is settled."""
        self._standing.pop(job_id, None)
        self._uploaded.pop(nonce, None)

    async def send(self, address: ReplyAddress, message: Message) -> None:
        """Post a message that belongs to no running job, with its images; files go to the member alone."""
        with delivery_errors():
            client = await self.workspaces.client(Tenant.parse(address.tenant))
            file_ids = await self.uploads.upload(client, message.images)
            content = self.renderer.content(message, file_ids)
            if message.files:
                opened = await client.conversations_open(users=address.user_id)
                await self.uploads.share(client, opened["channel"]["id"], content.text, message.files)
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
        standing = await post(client, address, self.renderer.content(message))
        self._standing[job_id] = standing
        await self.outbox.set_message(job_id, standing.text)
        return standing

    def _find(self, job_id: int, address: ReplyAddress) -> MessageId | None:
        """The status message that this process posted, which the address may not know yet, else the address's."""
        if job_id in self._standing:
            return self._standing[job_id]
        return MessageId.parse(address.message_id) if address.message_id else None

    async def _upload(
        self, client: RateLimitedClient, address: ReplyAddress, standing: MessageId | None, message: Message, nonce: str
    ) -> tuple[str, ...]:
        """The ids of a message's files, which are uploaded once however often posting is tried."""
        if nonce not in self._uploaded:
            try:
                self._uploaded[nonce] = await self.uploads.upload(client, message.images)
            except SlackApiError as error:
                if refusal_of(error) is not SlackRefusal.NO_FILES:
                    raise
                sorry = Message(
                    headline=message.headline,
                    mood=Mood.FAILED,
                    lines=(no_files_sentence(error),),
                    job_id=message.job_id,
                )
                await put(client, address, standing, self.renderer.content(sorry))
                raise Undeliverable(f"no files are taken: {code_of(error)}") from error
        return self._uploaded[nonce]


def _job_id(message: Message) -> int:
    if message.job_id is None:
        raise ValueError(f"a message of no job has no status: {message.headline}")
    return message.job_id
