"""A training in a process of its own: what goes wrong there harms no image, and its memory comes back whole."""

import asyncio
import logging
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Final

from pipeline.errors import UserError
from pipeline.processes import frames
from pipeline.processes.child import running
from pipeline.training.messages import TrainingPace, TrainingRefused
from pipeline.training.report import TrainingProgress, TrainingReport
from pipeline.training.request import TrainingRequest

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.25
_PROGRAM: Final = "pipeline.training.program"


class TrainingBroke(Exception):
    """The process ended without a word; another attempt goes on from its last checkpoint."""


async def train_apart(
    order: TrainingRequest,
    on_progress: Callable[[TrainingProgress], None],
    pace: Callable[[], TrainingPace] = TrainingPace,
) -> TrainingReport:
    """Train in a child process.

    Whatever happens, the child is gone when this returns; if it is cancelled, the child is killed.

    Args:
        order: the training.
        on_progress: is called with each step's progress.
        pace: is asked four times a second; the child hears of every change.

    Returns:
        What came of it.

    Raises:
        UserError: the training cannot be done; one sentence says why.
        TrainingBroke: the process died.
    """
    async with running(_PROGRAM) as child:
        pacing = asyncio.create_task(_keep_pace(child, order, pace))
        try:
            return await _report(child, on_progress)
        finally:
            pacing.cancel()
            (ended,) = await asyncio.gather(pacing, return_exceptions=True)
            if isinstance(ended, Exception) and not isinstance(ended, ConnectionError):
                _log.error("a training has not heard when to rest", exc_info=ended)


async def _report(child: Process, on_progress: Callable[[TrainingProgress], None]) -> TrainingReport:
    assert child.stdout is not None, "the process was started with a pipe"
    while (message := await frames.receive(child.stdout)) is not None:
        match message:
            case TrainingProgress():
                on_progress(message)
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
