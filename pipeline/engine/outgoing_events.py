"""Events on their way out of the engine: what takes time to put into a file is written beside the steps."""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.memory import is_out_of_memory
from pipeline.requests.device_messages import Dropped, Event, Faulted, Ready, Refused, Rendered, Stepped, Suspended

_log = logging.getLogger(__name__)

TicketEvent = Stepped | Dropped | Rendered | Refused | Faulted | Suspended

_THREADS: Final = 2
"""So that a preview does not wait for a PNG; compression lets go of Python's lock."""

_MOST_UNWRITTEN: Final = 16
"""Beyond it the steps wait: each holds the pixels or tensors that it is written from, 3 MB for an SDXL image."""


@dataclass(frozen=True, slots=True)
class _Entry:
    ticket: str
    event: Future[Event]


class OutgoingEvents:
    """The events of an engine; those of one ticket leave in the order in which they were put in."""

    def __init__(self) -> None:
        self._writers = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="writer")
        self._entries: list[_Entry] = []

    @property
    def empty(self) -> bool:
        """Whether `take` has nothing to give, now or later."""
        return not self._entries

    def put(self, event: TicketEvent | Ready) -> None:
        """Put in an event that is complete.

        Args:
            event: leaves at the next `take`, unless an earlier one of its ticket is still being written.
        """
        made = Future[Event]()
        made.set_result(event)
        self._entries.append(_Entry("" if isinstance(event, Ready) else event.ticket, made))

    def write(self, ticket: str, make: Callable[[], Event]) -> None:
        """Put in an event that is yet to be made, on a thread beside the steps; waits while too many are.

        Args:
            ticket: of the event.
            make: makes it; what it raises becomes Refused or Faulted.
        """
        while len(unwritten := self._unwritten()) >= _MOST_UNWRITTEN:
            wait(unwritten, return_when=FIRST_COMPLETED)
        self._entries.append(_Entry(ticket, self._writers.submit(_made, ticket, make)))

    def withdraw(self, ticket: str) -> bool:
        """Take back the events of a ticket that have not left.

        Args:
            ticket: of the events.

        Returns:
            Whether there were any.
        """
        own = [entry for entry in self._entries if entry.ticket == ticket]
        for entry in own:
            entry.event.cancel()
        self._entries = [entry for entry in self._entries if entry.ticket != ticket]
        return bool(own)

    def take(self, timeout: float = 0.0) -> list[Event]:
        """The events that are complete.

        Args:
            timeout: seconds to wait for one, where all are still being written.

        Returns:
            In the order in which they were put in; nothing follows a Refused or Faulted of the same ticket.
        """
        unwritten = self._unwritten()
        if timeout and len(unwritten) == len(self._entries):
            wait(unwritten, timeout, FIRST_COMPLETED)
        taken: list[Event] = []
        kept: list[_Entry] = []
        held: set[str] = set()
        failed: set[str] = set()
        for entry in self._entries:
            if entry.ticket in failed:
                continue
            if entry.ticket in held or not entry.event.done():
                held.add(entry.ticket)
                kept.append(entry)
                continue
            taken.append(event := entry.event.result())
            if isinstance(event, Refused | Faulted):
                failed.add(entry.ticket)
        self._entries = kept
        return taken

    def _unwritten(self) -> list[Future[Event]]:
        return [entry.event for entry in self._entries if not entry.event.done()]


def _made(ticket: str, make: Callable[[], Event]) -> Event:
    try:
        return make()
    except Exception as error:
        return failure(ticket, error)


def failure(ticket: str, error: Exception) -> Refused | Faulted:
    """What a ticket is told of an error.

    Args:
        ticket: that failed.
        error: one for its member to read, or one of ours, which is logged.

    Returns:
        The last event of the ticket.
    """
    if isinstance(error, UserError):
        return Refused(ticket=ticket, sentence=str(error))
    _log.error("%s failed", ticket, exc_info=error)
    why = f"{type(error).__name__}: {error}"
    return Faulted(ticket=ticket, why=why, out_of_memory=is_out_of_memory(error))
