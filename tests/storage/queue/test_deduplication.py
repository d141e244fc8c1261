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


async def test_only_keys_past_their_window_are_forgotten(database: Database, clock: FakeClock) -> None:
    """Each key has the window that it was taken with."""
    deduplication = Deduplication(database)
    await deduplication.is_first("short", 10)
    await deduplication.is_first("long", 100)
    clock.advance(50)

    await deduplication.forget_old()

    assert await deduplication.is_first("short", 10)
    assert not await deduplication.is_first("long")
