"""Waiting for what another task or process does: the one place where a test looks again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

_PATIENCE_SECONDS = 240.0
_LOOK_AGAIN_SECONDS = 0.01


async def eventually(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """What `look` finds, as soon as it finds something; TimeoutError if that never comes.

    Nothing here waits for a time to pass: the outcome is the same on any machine, only later on a slow one.
    """
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (found := await look()):  # noqa: ASYNC110 - what is waited for may be in another process
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return found
