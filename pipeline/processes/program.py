"""A child process as it sees itself: how it hears its parent, answers it, and keeps within its limits."""

import gc
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.errors import UserError
from pipeline.memory import is_out_of_memory

Order = dict[str, Any]

_GREEDY: Final = "This needs more memory than there is here; try something smaller, or again later."


def answer(work: Callable[[Order], dict[str, Any]], *, ready: Callable[[Order], object] | None = None) -> None:
    """Answer the one order of a parent that calls `pipeline.processes.child.ask`, and end the process.

    Args:
        work: does the order, under the memory limit that came with it; its UserError is the answer, too.
        ready: does what an order needs before the limit counts.
    """
    question = json.load(sys.stdin)
    try:
        if ready is not None:
            ready(question["order"])
        if question["memory"] is not None:
            _limit_memory(question["memory"])
        said = work(question["order"])
    except UserError as error:
        said = {"refused": str(error)}
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        said = {"refused": _GREEDY}
    json.dump(said, sys.stdout)
    sys.stdout.flush()
    # The answer is out; what an interpreter with torch in it does to end costs more than most orders.
    os._exit(0)


def _limit_memory(extra: int) -> None:
    """Let this process have `extra` bytes of addresses more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def keeping_all() -> Iterator[None]:
    """Import large libraries inside this block without a search for garbage: what they make stays to the end.

    The searches would take a sixth of the time, and once more whenever the process runs on.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def open_frames() -> tuple[BinaryIO, Callable[[object], None]]:
    """The two ends of frames between this process and its parent.

    From here on Ctrl-C, which reaches every process of a terminal, is the parent's to understand; and what libraries
    print goes to the log, so that the pipes carry messages alone. A thread may wait for a frame for as long as the
    process lives: Python's own standard input, which it locks at its end, is another stream.

    Returns:
        The stream to read frames from, and what sends a message as one.
    """
    # It loads asyncio, which takes as long as everything else that a program with one answer needs.
    from pipeline.processes import frames  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    orders, pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb"), os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())

    def say(message: object) -> None:
        pipe.write(frames.pack(message))
        pipe.flush()

    return orders, say
