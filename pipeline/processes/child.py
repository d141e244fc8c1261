"""A child process as its parent sees it: started here and nowhere else, and asked its one question."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError

_PACKAGE_ROOT: Final = str(Path(__file__).parents[2])


async def start(module: str, *arguments: str, quiet: bool = False) -> Process:
    """A child process: a fresh interpreter and not a fork, which CUDA does not survive.

    It imports this package from where it lies, and nothing from the folder that the parent works in. Its threads sleep
    while they wait: where others share the cores, spinning ones would cost ten times the work.

    Args:
        module: what `python -m` runs.
        *arguments: of its command line.
        quiet: whether what it writes to standard error is dropped.

    Returns:
        The process, with its standard input and output as pipes.
    """
    path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": path}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, *arguments,
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL if quiet else None, env=environment,
    )  # fmt: skip


@asynccontextmanager
async def running(module: str, *arguments: str, quiet: bool = False) -> AsyncIterator[Process]:
    """A child process that is killed when the block ends, if it has not ended by itself.

    Args:
        module: as in `start`.
        *arguments: as in `start`.
        quiet: as in `start`.

    Yields:
        The process.
    """
    child = await start(module, *arguments, quiet=quiet)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def ask(
    child: Process, order: Mapping[str, Any], *, seconds: float, broken: str, memory: int | None = None
) -> dict[str, Any]:
    """Give a child process its one order, and hear its answer.

    Both are JSON and not frames: the child may have read a file that takes it over, and reading a pickle runs code.

    Args:
        child: a program that calls `pipeline.processes.program.answer`.
        order: what JSON does not know, such as a path, is sent as its text.
        seconds: to wait for the answer.
        broken: the sentence for a child that dies, or says what is no answer.
        memory: bytes that the child may have beyond what it has when the order comes; None sets no limit.

    Returns:
        The answer.

    Raises:
        UserError: the child refuses, is broken, or took longer.
    """
    question = json.dumps({"order": order, "memory": memory}, default=str)
    try:
        written, _ = await asyncio.wait_for(child.communicate(question.encode()), seconds)
    except TimeoutError:
        raise UserError(f"This took longer than {seconds:.0f} seconds; it was given up.") from None
    try:
        answer: dict[str, Any] = json.loads(written)
    except ValueError:
        raise UserError(broken) from None
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence)
    return answer
