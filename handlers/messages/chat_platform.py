"""The seam to a chat platform: what delivery asks of Discord, Slack, the terminal and the web page."""

from typing import Protocol

from handlers.messages.message import Message
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress


class Undeliverable(Exception):
    """No way is left to reach the member; the text says why, and the images stay for /history."""


class TryLater(Exception):
    """The platform cannot take the message now; `seconds` is when to try again.

    `alone` says that the cause is the message's own, so that others to the same place need not wait for it.
    """

    def __init__(self, seconds: float, why: str, *, alone: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.alone = alone


class ChatPlatform(Protocol):
    """A place where members talk to us; both verbs may raise TryLater."""

    @property
    def platform(self) -> Platform:
        """Which platform this is; delivery asks the outbox for its replies."""

    @property
    def application_id(self) -> str:
        """Which of the platform's applications we are; empty where that is not known."""

    @property
    def seconds_between_edits(self) -> float:
        """The least time between two progress edits of one message."""

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        """Bring the job's status message up to date; newest state wins, and a lost edit does no harm."""

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:
        """Post a finished job's message by whatever way still works and return its id, in at most 64 characters.

        The id comes back with `Remove` when the message is to be taken away, all its parts if there are several.
        The same `nonce` twice within minutes posts once. Raises Undeliverable when every way is closed.
        """
