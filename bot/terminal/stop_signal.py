"""SIGTERM at a terminal: what runs is broken off in good order, and a sentence says what becomes of it."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import UserError


@contextmanager
def ending_at_sigterm(sentence: str) -> Iterator[None]:
    """Let SIGTERM cancel the task that runs the block, which then ends in a UserError of that sentence."""
    task, loop, is_asked = asyncio.current_task(), asyncio.get_running_loop(), False
    assert task is not None

    def stop() -> None:
        nonlocal is_asked
        is_asked = True
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not is_asked:
            raise
        task.uncancel()
        raise UserError(sentence) from None
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
