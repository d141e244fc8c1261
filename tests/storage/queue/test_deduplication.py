"""An event is handled once, whichever processes receive it, on every database."""

import asyncio

from storage.database import Database
from storage.queue.deduplication import Deduplication
from tests.fakes import FakeClock


async def test_of_many_at_once_one_is_first(database: Database) -> None:
    """Two processes that receive the same click do not both act on it."""
    processes = [Deduplication(database) for _ in range(4)]

    first = await asyncio.gather(*(process.is_first("click") for process in processes))

    assert sorted(first) == [False, False, False, True]
    assert await processes[0].is_first("another click")


async def test_a_key_is_first_again_after_its_window(database: Database, clock: FakeClock) -> None:
    """A later event does not prolong the window of the first."""
    deduplication = Deduplication(database, window_seconds=3)
    assert await deduplication.is_first("click")
    clock.advance(2)
    assert not await deduplication.is_first("click")
    clock.advance(1)

    assert await deduplication.is_first("click")


async def test_who_took_a_key_and_was_stopped_may_take_it_again(database: Database) -> None:
    """Nobody else may, nor one of whom nothing is known."""
    deduplication = Deduplication(database)
    assert await deduplication.is_first("click", 7)

    assert await deduplication.is_first("click", 7)
    assert not await deduplication.is_first("click", 8)
    assert not await deduplication.is_first("click")


async def test_only_keys_past_their_window_are_forgotten(database: Database, clock: FakeClock) -> None:
    """Each key has the window that it was taken with."""
    short, long = Deduplication(database, 10), Deduplication(database, 100)
    await short.is_first("short")
    await long.is_first("long")
    clock.advance(50)

    await short.forget_old()

    assert await short.is_first("short")
    assert not await short.is_first("long")
