"""Events leave in order, and what is written beside the steps fails, ends and is bounded as if it were not."""

import threading

from pipeline.engine.outgoing_events import _MOST_UNWRITTEN, OutgoingEvents
from pipeline.errors import UserError
from pipeline.requests.device_messages import Dropped, Event, Faulted, Refused, Rendered, Stepped


def step(ticket: str, number: int) -> Stepped:
    return Stepped(ticket=ticket, step=number, steps=9)


def all_of(outgoing: OutgoingEvents) -> list[Event]:
    events: list[Event] = []
    while not outgoing.empty:
        events += outgoing.take(timeout=5)
    return events


def test_a_tickets_events_keep_their_order_and_hold_up_nobody_elses() -> None:
    """While the first of them is still being written."""
    outgoing, gate = OutgoingEvents(), threading.Event()

    def slow() -> Event:
        gate.wait()
        return step("a", 1)

    outgoing.write("a", slow)
    outgoing.put(step("a", 2))
    outgoing.put(step("b", 1))
    before = outgoing.take()
    gate.set()

    assert before == [step("b", 1)]
    assert all_of(outgoing) == [step("a", 1), step("a", 2)]


def test_what_cannot_be_written_ends_its_ticket_with_the_reason() -> None:
    """And nothing follows, while others' events do."""

    def refused() -> Event:
        raise UserError("The image is too large.")

    def faulty() -> Event:
        raise ValueError("a bug")

    def large() -> Event:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    outgoing = OutgoingEvents()
    outgoing.write("a", refused)
    outgoing.put(step("a", 2))
    outgoing.write("b", faulty)
    outgoing.write("d", large)
    outgoing.put(step("c", 1))

    events = all_of(outgoing)

    assert sorted(events, key=repr) == sorted(
        [
            Refused(ticket="a", sentence="The image is too large."),
            Faulted(ticket="b", why="ValueError: a bug"),
            Faulted(ticket="d", why="RuntimeError: DefaultCPUAllocator: can't allocate memory", out_of_memory=True),
            step("c", 1),
        ],
        key=repr,
    )


def test_what_is_withdrawn_never_leaves() -> None:
    """Also where it is already being written."""
    outgoing, gate, begun = OutgoingEvents(), threading.Event(), threading.Event()

    def slow() -> Event:
        begun.set()
        gate.wait()
        return Rendered(ticket="a", png=b"", device_seconds=1)

    outgoing.write("a", slow)
    begun.wait()

    assert not outgoing.empty
    assert outgoing.withdraw("a")
    assert not outgoing.withdraw("a")
    outgoing.put(Dropped(ticket="a"))
    gate.set()
    assert all_of(outgoing) == [Dropped(ticket="a")]


def test_the_steps_wait_where_too_much_is_unwritten() -> None:
    """So that memory stays bounded: one more goes in only after another came out."""
    outgoing, gate, full = OutgoingEvents(), threading.Event(), threading.Event()

    def slow() -> Event:
        gate.wait()
        return step("a", 1)

    def open_when_full() -> None:
        full.wait()
        gate.set()

    threading.Thread(target=open_when_full).start()
    for number in range(_MOST_UNWRITTEN):
        outgoing.write(str(number), slow)
    full.set()
    outgoing.write("last", slow)

    assert gate.is_set()
    assert len(all_of(outgoing)) == _MOST_UNWRITTEN + 1
