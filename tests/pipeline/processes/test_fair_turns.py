"""Turns that are shared fairly, however many one group asks for."""

import asyncio
from collections.abc import Iterable

import pytest

from pipeline.errors import UserError
from pipeline.processes.fair_turns import FairTurns, Share

CROWDED = "Too many of yours wait."


class Counter:
    """Turns whose holders leave when a test says so; `served` holds who has had one, in their order."""

    def __init__(self, at_once: int = 2, most_each: int = 1, most_waiting: int = 99) -> None:
        self.turns = FairTurns(at_once=at_once, most_each=most_each, most_waiting=most_waiting, crowded=CROWDED)
        self.served: list[Share] = []
        self._leave: list[tuple[Share, asyncio.Event]] = []

    def come(self, *shares: Share) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._one(share)) for share in shares]

    async def leave(self, share: Share | None = None) -> None:
        """End the oldest turn, or the oldest of one share."""
        held = next(pair for pair in self._leave if share in (None, pair[0]))
        self._leave.remove(held)
        held[1].set()
        await settled()

    async def all_leave(self) -> None:
        while self._leave:
            await self.leave()

    async def _one(self, share: Share) -> None:
        async with self.turns.turn(share):
            self.served.append(share)
            event = asyncio.Event()
            self._leave.append((share, event))
            await event.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def many(share: Share, count: int) -> Iterable[Share]:
    return [share] * count


async def test_a_group_that_asks_for_many_leaves_a_turn_for_others() -> None:
    """One that comes last is served at once."""
    counter = Counter()
    counter.come(*many(("many", "ada"), 24))
    await settled()
    assert counter.served == [("many", "ada")]

    counter.come(("one", "bob"))
    await settled()

    assert counter.served == [("many", "ada"), ("one", "bob")]
    await counter.all_leave()
    assert len(counter.served) == 25


async def test_groups_take_turns_however_many_they_ask_for() -> None:
    """And so do the members of a group."""
    counter = Counter(at_once=1)
    counter.come(*many(("a", "1"), 4), *many(("b", "1"), 2), ("a", "2"))
    await settled()

    await counter.all_leave()

    assert [group for group, _ in counter.served] == ["a", "b", "a", "b", "a", "a", "a"]
    assert counter.served[2] == ("a", "2")


async def test_who_gives_up_leaves_the_turn_to_the_next() -> None:
    """While it waits, or at the very moment when its turn comes."""
    counter = Counter(at_once=1)
    first, second, third, _fourth = counter.come(("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"))
    await settled()

    second.cancel()
    await settled()
    first.cancel()
    third.cancel()
    await settled()

    assert counter.served == [("a", "1"), ("d", "1")]
    await counter.all_leave()


async def test_more_than_one_person_may_have_waiting_is_refused() -> None:
    """In the sentence that was given; others are not concerned."""
    counter = Counter(at_once=1, most_waiting=2)
    counter.come(*many(("a", "1"), 3))
    await settled()

    with pytest.raises(UserError, match=CROWDED):
        await asyncio.gather(*counter.come(("a", "1")))

    counter.come(("a", "2"))
    await settled()
    await counter.all_leave()
    assert len(counter.served) == 4
