"""Turns: one at a time for each destination, few for each guild, a bound for all."""

import asyncio

from handlers.delivery.turns import Turns
from tests.fakes import FakeClock


async def test_work_that_fails_lets_its_destination_rest(clock: FakeClock) -> None:
    """It is told of once, and is not tried again without a pause; others go on."""
    errors: list[Exception] = []
    turns = Turns(at_once=8, of_guild=8, failed=errors.append, clock=clock)
    done: list[str] = []

    async def fail() -> None:
        raise RuntimeError("a mistake of ours")

    async def work() -> None:
        done.append("other")

    assert turns.begin("bad", 1, fail)
    assert turns.begin("good", 1, work)
    while turns.is_working:
        await turns.wait_for_one()
    assert not turns.begin("bad", 1, fail)
    assert turns.begin("good", 1, work)
    while turns.is_working:
        await turns.wait_for_one()
    clock.advance(6)

    assert turns.begin("bad", 1, work)
    await turns.close(1)
    assert [str(error) for error in errors] == ["a mistake of ours"]
    assert done == ["other"] * 3


async def test_each_bound_holds() -> None:
    """Of a destination one, of a guild two, of all three."""
    turns = Turns(at_once=3, of_guild=2, failed=lambda _error: None)
    forever = asyncio.Event()

    async def hang() -> None:
        await forever.wait()

    begun = [turns.begin(place, guild, hang) for place, guild in (("a", 1), ("a", 1), ("b", 1), ("c", 1), ("d", 2))]

    assert begun == [True, False, True, False, True]
    assert not turns.begin("e", 3, hang)
    assert (turns.free, turns.full_guilds) == (0, frozenset({1}))
    await turns.close(0)
    assert not turns.is_working
