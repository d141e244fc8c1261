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
    """A child process of this interpreter, killed when the block ends if it has not ended by itself.

    Args:
        module: what `python -m` runs.
        *arguments: of its command line.

    Yields:
        The process, with its standard input and output as pipes.
    """
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
    """Ask a child process its one question.

    Args:
        child: from `running`.
        question: sent as JSON; what JSON does not know, such as a path, as its text.
        seconds: to wait for the answer.

    Returns:
        All that the child writes; empty if it dies first.

    Raises:
        UserError: the child took longer.
    """
    try:
        answer, _ = await asyncio.wait_for(child.communicate(json.dumps(question, default=str).encode()), seconds)
    except TimeoutError:
        raise UserError(f"This took longer than {seconds:.0f} seconds; it was given up.") from None
    return answer
