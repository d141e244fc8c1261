"""A child process as its parent sees it: started here and nowhere else, and asked its one question."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError

BACKGROUND: Final = 10
"""The niceness of a child that is not said to be urgent: a member's answer takes a moment, and comes first."""

_BOUND: Final = "pipeline.processes.bound"
_PACKAGE_ROOT: Final = str(Path(__file__).parents[2])
_MOST_ANSWERED: Final = 16 * 2**20
"""Bytes: no answer is longer, and a child that a file has taken over may not fill its parent's memory."""


async def start(module: str, *arguments: str, quiet: bool = False, nice: int = BACKGROUND) -> Process:
    """A child process: a fresh interpreter and not a fork, which CUDA does not survive.

    It ends with this process, however that ends. It imports this package from where it lies, and nothing from the
    folder that the parent works in. Its threads sleep
    while they wait: where others share the cores, spinning ones would cost ten times the work.

    Args:
        module: what `python -m` runs.
        *arguments: of its command line.
        quiet: whether what it writes to standard error is dropped.
        nice: how far it yields to this process and others, 0 to 19.

    Returns:
        The process, with its standard input and output as pipes.
    """
    path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": path}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", _BOUND, str(os.getpid()), str(nice), module, *arguments,
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
    child: Process,
    order: Mapping[str, Any],
    *,
    seconds: float,
    broken: str,
    slow: str = "This took longer than {seconds:.0f} seconds; it was given up.",
    memory: int | None = None,
) -> dict[str, Any]:
    """Give a child process its one order, and hear its answer.

    Both are JSON and not frames: the child may have read a file that takes it over, and reading a pickle runs code.

    Args:
        child: a program that calls `pipeline.processes.program.answer`.
        order: what JSON does not know, such as a path, is sent as its text.
        seconds: to wait for the answer.
        broken: the sentence for a child that dies, or says what is no answer.
        slow: the sentence for a child that takes longer; may name the `{seconds}`.
        memory: bytes that the child may have beyond what it has when the order comes; None sets no limit.

    Returns:
        The answer.

    Raises:
        UserError: the child refuses, is broken, or took longer.
    """
    question = json.dumps({"order": order, "memory": memory}, default=str)
    try:
        written = await asyncio.wait_for(_answer(child, question.encode()), seconds)
    except TimeoutError:
        raise UserError(slow.format(seconds=seconds)) from None
    try:
        answer = json.loads(written)
    except (ValueError, RecursionError):
        raise UserError(broken) from None
    if not isinstance(answer, dict):
        raise UserError(broken)
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence)
    return answer


async def _answer(child: Process, question: bytes) -> bytes:
    """What the child says until it ends, or until that is more than an answer can be."""
    assert child.stdin is not None, "started with pipes"
    assert child.stdout is not None, "started with pipes"
    with suppress(ConnectionError):  # it has died, and its end of output says so
        child.stdin.write(question)
        await child.stdin.drain()
    child.stdin.close()
    said = bytearray()
    while piece := await child.stdout.read(2**16):
        said += piece
        if len(said) > _MOST_ANSWERED and child.returncode is None:
            said.clear()
            child.kill()  # and what is in the pipe is still read, or it would never be closed
    await child.wait()
    return bytes(said)
