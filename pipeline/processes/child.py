"""A child process that runs one module of ours, gets one question and gives one answer."""

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pipeline.errors import UserError


@asynccontextmanager
async def running(module: str, *arguments: str) -> AsyncIterator[Process]:
    """A child process that runs `module` and makes itself ready; whatever happens, it is gone when the block ends."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def ask(child: Process, question: dict[str, Any], seconds: float) -> bytes:
    """What the child answers to `question`, which it gets as JSON; nothing if it dies. Raises UserError after `seconds`."""
    try:
        answer, _ = await asyncio.wait_for(child.communicate(json.dumps(question, default=str).encode()), seconds)
    except TimeoutError:
        raise UserError(f"This took longer than {seconds:.0f} seconds; it was given up.") from None
    return answer
