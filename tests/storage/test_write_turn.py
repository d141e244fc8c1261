"""The turn at a database: one at a time, in order, the urgent first; who gives up holds nobody back."""

import asyncio
from contextlib import suppress

from storage.write_turn import WriteTurn


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_urgent_come_first_and_all_others_in_order() -> None:
    """Also those who ask while others wait."""
    turn, order = WriteTurn(), list[str]()

    async def take(name: str, *, urgent: bool = False) -> None:
        async with turn.take(urgent=urgent):
            await asyncio.sleep(0)
            order.append(name)

    async with turn.take():
        tasks = [asyncio.create_task(take(f"usual {number}")) for number in range(3)]
        await _settle()
        tasks += [asyncio.create_task(take(f"urgent {number}", urgent=True)) for number in range(2)]
        await _settle()
        assert order == []
    await asyncio.gather(*tasks)

    assert order == ["urgent 0", "urgent 1", "usual 0", "usual 1", "usual 2"]


async def test_who_gives_up_holds_nobody_back() -> None:
    """Neither while waiting, nor at the moment when the turn is granted, nor by an error in it."""
    turn = WriteTurn()
    async with turn.take():
        waiting = asyncio.create_task(_take(turn))
        granted = asyncio.create_task(_take(turn))
        last = asyncio.create_task(_take(turn))
        await _settle()
        waiting.cancel()
        await _settle()
    granted.cancel()

    assert await last
    with suppress(ValueError):
        async with turn.take():
            raise ValueError
    assert await _take(turn)


async def _take(turn: WriteTurn) -> bool:
    async with turn.take():
        return True
