"""Seats, turns and buckets, without a tensor."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.engine.batch_scheduler import BUCKETS, BatchScheduler, WaitingRequest
from pipeline.requests.batch_key import BatchKey, Shape
from tests.tiers import examples

SMALL = Shape(checkpoint="pocket", height=8, width=8)
LARGE = Shape(checkpoint="pocket", height=16, width=16)


def candidate(
    ticket: str, *, rows: int = 2, shape: Shape = SMALL, bucket: int | None = None, pages: int = 0
) -> WaitingRequest:
    return WaitingRequest(ticket=ticket, shape=shape, rows=rows, bucket=bucket, pages=pages)


def seat_key(batching: BatchScheduler, ticket: str) -> BatchKey:
    seat = batching.seat_of(ticket)
    assert seat is not None
    return seat.key


def seated(*candidates: WaitingRequest, max_rows: int = 16) -> BatchScheduler:
    batching = BatchScheduler(max_rows)
    for one in candidates:
        batching.enter(one)
    batching.seat()
    return batching


def test_a_group_is_compiled_or_eager_for_its_whole_life() -> None:
    """A compiled one appears beside it; who insists on either finds it, who insists on neither takes the compiled."""
    ready: set[BatchKey] = set()
    batching = BatchScheduler(16, compiles=ready.__contains__)
    batching.enter(candidate("before"))
    batching.seat()
    ready.add(BatchKey(shape=SMALL, bucket=2))
    late = candidate("late")
    for one in (late, replace(late, ticket="eager", compiled=False), replace(late, ticket="like", bucket=2)):
        batching.enter(one)
        batching.seat()

    assert [seat_key(batching, ticket).compiled for ticket in ("before", "late", "eager")] == [False, True, False]
    batching.leave("before")
    batching.leave("late")
    batching.enter(replace(late, ticket="again", bucket=2, compiled=True))
    batching.enter(replace(late, ticket="elsewhere", bucket=4, compiled=True))
    batching.seat()
    assert seat_key(batching, "again").compiled
    assert not seat_key(batching, "elsewhere").compiled


def test_a_lone_request_pays_for_no_padding() -> None:
    """Its bucket is its rows."""
    batch = seated(candidate("a", rows=1)).next()

    assert batch is not None
    assert (batch.key.bucket, batch.tickets) == (1, ("a",))


def test_those_who_come_together_share_one_call() -> None:
    """Padded to the next bucket."""
    batch = seated(*(candidate(name) for name in "abc")).next()

    assert batch is not None
    assert (batch.key.bucket, batch.tickets) == (8, ("a", "b", "c"))


def test_a_late_request_does_not_change_the_bucket_of_one_that_runs() -> None:
    """It opens a larger group of its own, and the two take turns."""
    batching = seated(candidate("a"))
    batching.enter(candidate("b"))
    batching.seat()

    turns = [batching.next(), batching.next(), batching.next()]

    assert [turn.tickets for turn in turns if turn] == [("a",), ("b",), ("a",)]
    assert [turn.key.bucket for turn in turns if turn] == [2, 4, 2]


def test_room_is_kept_for_those_whose_loras_are_on_their_way() -> None:
    """One after the other they find it, instead of each opening a group of its own."""
    batching = BatchScheduler(16)
    for number in range(5):
        batching.enter(candidate(str(number)))
        batching.seat({SMALL: 2 * (4 - number), LARGE: 8})

    assert {seat_key(batching, str(number)).bucket for number in range(5)} == {16}
    assert len(batching.keys) == 1


def test_a_free_seat_is_taken_at_the_next_step() -> None:
    """By the first in line, without a new group."""
    batching = seated(*(candidate(str(number)) for number in range(9)))
    assert batching.seat_of("8") is None

    batching.leave("3")

    assert list(batching.seat()) == ["8"]
    assert seat_key(batching, "8") == seat_key(batching, "0")


def test_a_nearly_empty_large_group_is_left_to_drain() -> None:
    """A newcomer gets a small one instead of keeping sixteen rows busy."""
    batching = seated(*(candidate(str(number)) for number in range(8)))
    for number in range(1, 8):
        batching.leave(str(number))
    batching.enter(candidate("new"))
    batching.seat()

    assert seat_key(batching, "new").bucket == 2


def test_an_asked_for_bucket_is_kept() -> None:
    """So that an image can be repeated bit for bit."""
    batching = seated(candidate("a", bucket=8), candidate("b"))

    assert seat_key(batching, "a") == seat_key(batching, "b")
    assert seat_key(batching, "a").bucket == 8


def test_sizes_never_meet_and_one_full_line_does_not_hold_up_another() -> None:
    """First come, first served within a size only."""
    batching = seated(*(candidate(str(number)) for number in range(12)), candidate("large", shape=LARGE))

    assert batching.seat_of("11") is None
    assert batching.seat_of("large") is not None


def test_what_does_not_fit_is_halved_and_remembered() -> None:
    """Until one request alone would not fit."""
    batching = seated(*(candidate(str(number)) for number in range(8)))
    batch = batching.next()
    assert batch is not None
    assert batching.halve(batch.key)
    assert list(batching.seat()) == ["0", "1", "2", "3"]
    for _ in range(2):
        batch = batching.next()
        assert batch is not None
        assert batching.halve(batch.key)
        batching.seat()
    last = batching.next()
    assert last is not None

    assert last.tickets == ("0",)
    assert not batching.halve(last.key)


def test_a_group_is_as_deep_as_its_deepest_lora() -> None:
    """And those with fewer LoRAs, or none, may sit there too."""
    batching = seated(candidate("a", pages=3), candidate("b"), candidate("c", pages=1))

    assert {seat_key(batching, ticket).pages for ticket in "abc"} == {4}


def test_a_lora_finds_no_seat_where_no_pages_are() -> None:
    """It opens a group of its own."""
    batching = seated(candidate("a"))
    batching.enter(candidate("b", pages=2))
    batching.seat()

    assert (seat_key(batching, "a").pages, seat_key(batching, "b").pages) == (0, 2)


class Arrivals(RuleBasedStateMachine):
    """Random arrivals, departures and memory limits."""

    def __init__(self) -> None:
        super().__init__()
        self.batching = BatchScheduler(8)
        self.present: dict[str, WaitingRequest] = {}
        self.buckets: dict[str, int] = {}
        self.count = 0

    @rule(
        rows=st.sampled_from([1, 2]),
        shape=st.sampled_from([SMALL, LARGE]),
        bucket=st.none() | st.sampled_from([2, 4, 8]),
        pages=st.integers(0, 5),
    )
    def arrive(self, rows: int, shape: Shape, bucket: int | None, pages: int) -> None:
        self.count += 1
        one = candidate(str(self.count), rows=rows, shape=shape, bucket=bucket, pages=pages)
        self.batching.enter(one)
        self.present[one.ticket] = one

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.present)))
        self.batching.leave(ticket)
        del self.present[ticket]
        self.buckets.pop(ticket, None)

    @rule()
    def seat(self) -> None:
        for ticket, seat in self.batching.seat().items():
            self.buckets[ticket] = seat.key.bucket

    @precondition(lambda self: self.buckets)
    @rule()
    def step(self) -> None:
        turns = [self.batching.next() for _ in range(20)]
        assert {ticket for turn in turns if turn for ticket in turn.tickets} == set(self.buckets)

    @precondition(lambda self: self.buckets)
    @rule()
    def run_out_of_memory(self) -> None:
        batch = self.batching.next()
        assert batch is not None
        if self.batching.halve(batch.key):
            for ticket in batch.tickets:
                del self.buckets[ticket]

    @invariant()
    def seats_are_enough_and_constant(self) -> None:
        rows: dict[BatchKey, list[int]] = {}
        for ticket, bucket in self.buckets.items():
            seat = self.batching.seat_of(ticket)
            one = self.present[ticket]
            assert seat is not None
            assert seat.key.bucket == bucket in BUCKETS
            assert bucket <= 8
            assert (seat.key.shape, len(seat.rows)) == (one.shape, one.rows)
            assert seat.key.pages >= one.pages
            rows.setdefault(seat.key, []).extend(seat.rows)
        for key, taken in rows.items():
            assert len(set(taken)) == len(taken)
            assert set(taken) <= set(range(key.bucket))

    @invariant()
    def nobody_is_forgotten(self) -> None:
        assert all(ticket in self.batching for ticket in self.present)

    def teardown(self) -> None:
        for ticket in self.present:
            self.batching.leave(ticket)
        assert self.batching.next() is None
        assert self.batching.seat() == {}


Arrivals.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30)
TestArrivals = Arrivals.TestCase
