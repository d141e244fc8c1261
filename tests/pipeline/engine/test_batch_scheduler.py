"""Slots, turns and buckets, without a tensor."""

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


def slot_key(scheduler: BatchScheduler, ticket: str) -> BatchKey:
    slot = scheduler.slot_of(ticket)
    assert slot is not None
    return slot.key


def scheduled(*candidates: WaitingRequest, max_rows: int = 16) -> BatchScheduler:
    scheduler = BatchScheduler(max_rows)
    for one in candidates:
        scheduler.enter(one)
    scheduler.assign()
    return scheduler


def test_a_group_is_compiled_or_eager_for_its_whole_life() -> None:
    """A compiled one appears beside it; requests that require either get it, all others the compiled one."""
    ready: set[BatchKey] = set()
    scheduler = BatchScheduler(16, compiles=ready.__contains__)
    scheduler.enter(candidate("before"))
    scheduler.assign()
    ready.add(BatchKey(shape=SMALL, bucket=2))
    late = candidate("late")
    for one in (late, replace(late, ticket="eager", compiled=False), replace(late, ticket="like", bucket=2)):
        scheduler.enter(one)
        scheduler.assign()

    assert [slot_key(scheduler, ticket).compiled for ticket in ("before", "late", "eager")] == [False, True, False]
    scheduler.leave("before")
    scheduler.leave("late")
    scheduler.enter(replace(late, ticket="again", bucket=2, compiled=True))
    scheduler.enter(replace(late, ticket="elsewhere", bucket=4, compiled=True))
    scheduler.assign()
    assert slot_key(scheduler, "again").compiled
    assert not slot_key(scheduler, "elsewhere").compiled


def test_a_request_of_three_rows_has_a_group_of_four_however_few_are_allowed() -> None:
    """Or it would wait for ever."""
    assert slot_key(scheduled(candidate("three", rows=3), max_rows=2), "three").bucket == 4


def test_a_lone_request_pays_for_no_padding() -> None:
    """Its bucket is its rows."""
    batch = scheduled(candidate("a", rows=1)).next()

    assert batch is not None
    assert (batch.key.bucket, batch.tickets) == (1, ("a",))


def test_those_who_come_together_share_one_call() -> None:
    """Padded to the next bucket."""
    batch = scheduled(*(candidate(name) for name in "abc")).next()

    assert batch is not None
    assert (batch.key.bucket, batch.tickets) == (8, ("a", "b", "c"))


def test_a_late_request_does_not_change_the_bucket_of_one_that_runs() -> None:
    """It opens a larger group of its own, and the two take turns."""
    scheduler = scheduled(candidate("a"))
    scheduler.enter(candidate("b"))
    scheduler.assign()

    turns = [scheduler.next(), scheduler.next(), scheduler.next()]

    assert [turn.tickets for turn in turns if turn] == [("a",), ("b",), ("a",)]
    assert [turn.key.bucket for turn in turns if turn] == [2, 4, 2]


def test_room_is_kept_for_those_whose_loras_are_on_their_way() -> None:
    """One after the other they find it, instead of each opening a group of its own."""
    scheduler = BatchScheduler(16)
    for number in range(5):
        scheduler.enter(candidate(str(number)))
        scheduler.assign({SMALL: 2 * (4 - number), LARGE: 8})

    assert {slot_key(scheduler, str(number)).bucket for number in range(5)} == {16}
    assert len(scheduler.keys) == 1


def test_a_free_slot_is_taken_at_the_next_step() -> None:
    """By the first in line, without a new group."""
    scheduler = scheduled(*(candidate(str(number)) for number in range(9)))
    assert scheduler.slot_of("8") is None

    scheduler.leave("3")

    assert list(scheduler.assign()) == ["8"]
    assert slot_key(scheduler, "8") == slot_key(scheduler, "0")


def test_a_nearly_empty_large_group_is_left_to_drain() -> None:
    """A newcomer gets a small one instead of keeping sixteen rows busy."""
    scheduler = scheduled(*(candidate(str(number)) for number in range(8)))
    for number in range(1, 8):
        scheduler.leave(str(number))
    scheduler.enter(candidate("new"))
    scheduler.assign()

    assert slot_key(scheduler, "new").bucket == 2


def test_an_asked_for_bucket_is_kept() -> None:
    """So that an image can be repeated bit for bit."""
    scheduler = scheduled(candidate("a", bucket=8), candidate("b"))

    assert slot_key(scheduler, "a") == slot_key(scheduler, "b")
    assert slot_key(scheduler, "a").bucket == 8


def test_sizes_never_meet_and_one_full_line_does_not_hold_up_another() -> None:
    """First come, first served within a size only."""
    scheduler = scheduled(*(candidate(str(number)) for number in range(12)), candidate("large", shape=LARGE))

    assert scheduler.slot_of("11") is None
    assert scheduler.slot_of("large") is not None


def test_what_does_not_fit_is_halved_and_remembered() -> None:
    """Until one request alone would not fit."""
    scheduler = scheduled(*(candidate(str(number)) for number in range(8)))
    batch = scheduler.next()
    assert batch is not None
    assert scheduler.halve(batch.key)
    assert list(scheduler.assign()) == ["0", "1", "2", "3"]
    for _ in range(2):
        batch = scheduler.next()
        assert batch is not None
        assert scheduler.halve(batch.key)
        scheduler.assign()
    last = scheduler.next()
    assert last is not None

    assert last.tickets == ("0",)
    assert not scheduler.halve(last.key)


def test_a_group_is_as_deep_as_its_deepest_lora() -> None:
    """Requests with fewer LoRAs, or none, get slots there too."""
    scheduler = scheduled(candidate("a", pages=3), candidate("b"), candidate("c", pages=1))

    assert {slot_key(scheduler, ticket).pages for ticket in "abc"} == {4}


def test_a_lora_gets_no_slot_where_no_pages_are() -> None:
    """It opens a group of its own."""
    scheduler = scheduled(candidate("a"))
    scheduler.enter(candidate("b", pages=2))
    scheduler.assign()

    assert (slot_key(scheduler, "a").pages, slot_key(scheduler, "b").pages) == (0, 2)


def test_own_weights_get_a_group_of_their_kind() -> None:
    """Where others may join; a request that repeats an image gets the kind of group that it had."""
    scheduler = scheduled(candidate("plain"), max_rows=8)
    deep = replace(candidate("deep"), own_weights=True)
    for one in (deep, candidate("joins"), replace(deep, ticket="too", bucket=2), candidate("like", bucket=2)):
        scheduler.enter(one)
    scheduler.assign()

    kinds = {ticket: slot_key(scheduler, ticket).own_weights for ticket in ("plain", "deep", "joins", "too")}
    assert kinds == {"plain": False, "deep": True, "joins": True, "too": True}
    assert scheduler.slot_of("like") is None
    scheduler.leave("plain")
    scheduler.assign()
    assert not slot_key(scheduler, "like").own_weights
    for ticket in ("like", "too"):
        scheduler.leave(ticket)
    (halved,) = scheduler.keys
    scheduler.halve(halved)
    scheduler.assign()
    assert slot_key(scheduler, "deep").own_weights


class Arrivals(RuleBasedStateMachine):
    """Random arrivals, departures and memory limits."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = BatchScheduler(8)
        self.present: dict[str, WaitingRequest] = {}
        self.buckets: dict[str, int] = {}
        self.count = 0

    @rule(
        rows=st.sampled_from([1, 2]),
        shape=st.sampled_from([SMALL, LARGE]),
        bucket=st.none() | st.sampled_from([2, 4, 8]),
        pages=st.integers(0, 4),
        own=st.booleans(),
    )
    def arrive(self, rows: int, shape: Shape, bucket: int | None, pages: int, own: bool) -> None:
        self.count += 1
        plain = candidate(str(self.count), rows=rows, shape=shape, bucket=bucket, pages=pages)
        one = replace(plain, own_weights=own)
        self.scheduler.enter(one)
        self.present[one.ticket] = one

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.present)))
        self.scheduler.leave(ticket)
        del self.present[ticket]
        self.buckets.pop(ticket, None)

    @rule()
    def assign(self) -> None:
        for ticket, slot in self.scheduler.assign().items():
            self.buckets[ticket] = slot.key.bucket

    @precondition(lambda self: self.buckets)
    @rule()
    def step(self) -> None:
        turns = [self.scheduler.next() for _ in range(20)]
        assert {ticket for turn in turns if turn for ticket in turn.tickets} == set(self.buckets)

    @precondition(lambda self: self.buckets)
    @rule()
    def run_out_of_memory(self) -> None:
        batch = self.scheduler.next()
        assert batch is not None
        if self.scheduler.halve(batch.key):
            for ticket in batch.tickets:
                del self.buckets[ticket]

    @invariant()
    def slots_are_enough_and_constant(self) -> None:
        rows: dict[BatchKey, list[int]] = {}
        for ticket, bucket in self.buckets.items():
            slot = self.scheduler.slot_of(ticket)
            one = self.present[ticket]
            assert slot is not None
            assert slot.key.bucket == bucket in BUCKETS
            assert bucket <= 8
            assert (slot.key.shape, len(slot.rows)) == (one.shape, one.rows)
            assert slot.key.pages >= one.pages
            assert slot.key.own_weights >= one.own_weights
            rows.setdefault(slot.key, []).extend(slot.rows)
        for key, taken in rows.items():
            assert len(set(taken)) == len(taken)
            assert set(taken) <= set(range(key.bucket))

    @invariant()
    def nobody_is_forgotten(self) -> None:
        assert all(ticket in self.scheduler for ticket in self.present)

    def teardown(self) -> None:
        for ticket in self.present:
            self.scheduler.leave(ticket)
        assert self.scheduler.next() is None
        assert self.scheduler.assign() == {}


Arrivals.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30)
TestArrivals = Arrivals.TestCase


def with_loras(page_rows: int, *candidates: WaitingRequest) -> BatchScheduler:
    scheduler = BatchScheduler(16, page_rows=lambda _: page_rows)
    for one in candidates:
        scheduler.enter(one)
    scheduler.assign()
    return scheduler


def test_a_group_has_no_more_rows_than_memory_has_room_for_their_loras() -> None:
    """Four rows of eight pages where there is room for thirty-two; without LoRAs nothing is smaller."""
    heavy = [candidate(str(number), pages=8) for number in range(4)]
    scheduler = with_loras(35, *heavy)

    assert slot_key(scheduler, "0").bucket == 4
    assert [scheduler.slot_of(str(number)) is None for number in range(4)] == [False, False, True, True]
    assert slot_key(with_loras(35, *(replace(one, pages=0) for one in heavy)), "0").bucket == 8


def test_a_group_beside_others_is_smaller_or_waits() -> None:
    """For what they leave of the room; for its own size where it requires one."""
    scheduler = with_loras(8, candidate("a", pages=2), candidate("b", shape=LARGE, pages=2))
    scheduler.enter(candidate("c", shape=replace(LARGE, windows=2), pages=1))
    scheduler.enter(candidate("d", shape=replace(LARGE, windows=3), pages=1, bucket=8))
    scheduler.assign()
    before = [scheduler.slot_of(ticket) is None for ticket in "abcd"]
    scheduler.leave("a")
    scheduler.assign()
    after = [scheduler.slot_of(ticket) is None for ticket in "bcd"]
    for ticket in "bc":
        scheduler.leave(ticket)
    scheduler.assign()

    assert before == [False, False, True, True]
    assert after == [False, False, True]
    assert slot_key(scheduler, "d").bucket == 8


def test_a_request_beyond_all_room_is_let_in_alone() -> None:
    """It would wait for ever otherwise; what it requires is cut down to its own rows."""
    assert slot_key(with_loras(1, candidate("a", pages=4)), "a").bucket == 2
    assert slot_key(with_loras(1, candidate("a", pages=4, bucket=8)), "a").bucket == 2
