"""A signal to stop ends what runs, in a sentence; what cancels it otherwise is passed on."""

import asyncio
import signal

import pytest

from bot.terminal.stop_signal import ending_at_sigterm
from pipeline.errors import UserError


async def test_sigterm_ends_the_block_in_a_sentence() -> None:
    """What was begun in the block can end in good order, and the handler is gone afterwards."""
    has_ended = False

    async def stopped() -> None:
        nonlocal has_ended
        with ending_at_sigterm("Stopped."):
            signal.raise_signal(signal.SIGTERM)
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                has_ended = True

    with pytest.raises(UserError, match=r"Stopped\."):
        await stopped()
    assert has_ended
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_another_cancellation_is_none_of_its_business() -> None:
    """As Ctrl-C, which is told elsewhere."""

    async def waiting() -> None:
        with ending_at_sigterm("Stopped."):
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    task = asyncio.create_task(waiting())
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
