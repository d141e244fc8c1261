"""What a click on a job's button comes to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from handlers.commands.call import Caller
from handlers.commands.form import Form
from handlers.messages.message import Message
from storage.queue.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDirect:
    """`message` goes to the one who clicked, in a direct message; `sent` says in the channel that it did."""

    message: Message
    sent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """The clicked message is to be taken away; what it showed is deleted here.

    `posted` is the id that the platform gave to the message when it was delivered.
    """

    job_id: int
    posted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHeard:
    """The same click was heard a moment ago; there is nothing to say."""


Pressed = Message | Form | SendDirect | Remove | AlreadyHeard

Action = Callable[[Job, int, Caller, Any], Awaitable[Pressed]]
"""Does what a button says to image `index` of a job, in the AppContext; raises UserError."""
