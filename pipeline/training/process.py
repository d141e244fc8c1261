"""A training in a process of its own: what goes wrong there harms no picture, and its memory comes back whole.

`python -m pipeline.training.process` reads an order and then paces from its input, and writes progress and a report.
"""

import asyncio
import errno
import logging
import os
import signal
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from pipeline.errors import UserError
from pipeline.processes import frames
from pipeline.training.messages import TrainingMessage, TrainingPace, TrainingRefused
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.25
_LONGEST_REST: Final = 5.0
_PACKAGE_ROOT: Final = str(Path(__file__).parents[2])
_PROGRAM: Final = (
    f"import sys; sys.path.insert(0, {_PACKAGE_ROOT!r}); from pipeline.training.process import main; main()"
)


class TrainingBroke(Exception):
    """The process ended without a word; another attempt goes on from its last checkpoint."""


async def train_apart(
    order: TrainingRequest, told: Callable[[TrainingProgress], None], pace: Callable[[], TrainingPace] = TrainingPace
) -> TrainingReport:
    """Do `order` in a child process, which hears of every change of `pace`.

    Raises UserError with the one sentence that tells why it cannot be done, TrainingBroke if the process dies.
    Whatever happens, the child is gone when this returns; if it is cancelled, the child is killed.
    """
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, stdin=PIPE, stdout=PIPE)
    pacing = asyncio.create_task(_keep_pace(child, order, pace))
    try:
        return await _report(child, told)
    finally:
        pacing.cancel()
        await asyncio.gather(pacing, return_exceptions=True)
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _report(child: Process, told: Callable[[TrainingProgress], None]) -> TrainingReport:
    assert child.stdout is not None, "the process was started with a pipe"
    while (message := await frames.receive(child.stdout)) is not None:
        match message:
            case TrainingProgress():
                told(message)
            case TrainingReport():
                return message
            case TrainingRefused():
                raise UserError(message.sentence)
            case _:
                raise TypeError(f"a training says no {type(message).__name__}")
    raise TrainingBroke(f"the training's process ended with {await child.wait()}")


async def _keep_pace(child: Process, order: TrainingRequest, pace: Callable[[], TrainingPace]) -> None:
    assert child.stdin is not None, "the process was started with a pipe"
    said: TrainingPace | None = None
    child.stdin.write(frames.pack(order))
    while True:
        if (now := pace()) != said:
            child.stdin.write(frames.pack(now))
            said = now
        await child.stdin.drain()
        await asyncio.sleep(_LOOK_SECONDS)


def main() -> None:
    """The child's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What libraries print goes to the log; the pipe carries messages alone.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    order = frames.read(sys.stdin.buffer)
    assert isinstance(order, TrainingRequest), "a worker begins with the order"
    heard = _Heard()
    threading.Thread(target=heard.listen, args=(sys.stdin.buffer,), daemon=True).start()

    def say(message: TrainingMessage) -> None:
        answers.write(frames.pack(message))
        answers.flush()

    _work(order, heard, say)


class _Heard:
    """The pace that was heard last."""

    def __init__(self) -> None:
        self.pace = TrainingPace()

    def listen(self, stream: BinaryIO) -> None:
        """Hear until the stream ends, which means that the worker is gone: its next one goes on from the checkpoint."""
        while (message := frames.read(stream)) is not None:
            assert isinstance(message, TrainingPace), "a worker sends paces"
            self.pace = message
        os._exit(0)


def _work(order: TrainingRequest, heard: _Heard, say: Callable[[TrainingMessage], None]) -> None:
    # Torch is the parent's to avoid: chats and workers never import it.
    from pipeline.training.trainer import train  # noqa: PLC0415

    training = train(order)
    try:
        said = next(training)
        while True:
            say(said)
            while heard.pace.paused and not heard.pace.enough:
                time.sleep(_LOOK_SECONDS)
            began = time.monotonic()
            said = training.send(heard.pace.enough)
            if heard.pace.busy:
                worked = time.monotonic() - began
                time.sleep(min(_LONGEST_REST, worked * (1 / order.share - 1)))
    except StopIteration as end:
        say(end.value)
    except (UserError, OSError, MemoryError, RuntimeError) as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        say(TrainingRefused(sentence=sentence))


def _sentence(error: Exception) -> str | None:
    """What a member is told of `error`; None for one that another attempt may not meet."""
    from torch import OutOfMemoryError  # noqa: PLC0415

    match error:
        case UserError():
            return str(error)
        case OSError(errno=errno.ENOSPC):
            return "The disk is full, so the training could not go on; ask whoever runs this server to make room."
        case MemoryError() | OutOfMemoryError():
            return "This training needs more memory than the device has; use a smaller batch or a smaller model."
        case _:
            return None


if __name__ == "__main__":
    main()
