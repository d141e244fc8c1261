"""The program of a training's process: `python -m pipeline.training.program` hears a request, then paces."""

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, Final

from pipeline.errors import UserError
from pipeline.memory import is_out_of_memory
from pipeline.processes import frames
from pipeline.processes.program import open_frames
from pipeline.training.messages import TrainingMessage, TrainingPace, TrainingRefused
from pipeline.training.request import TrainingRequest

_LOOK_SECONDS: Final = 0.25
_LONGEST_REST: Final = 5.0


def _main() -> None:
    stream, say = open_frames()
    order = frames.read(stream)
    assert isinstance(order, TrainingRequest), "a worker begins with the order"
    heard = _Heard()
    threading.Thread(target=heard.listen, args=(stream,), daemon=True).start()
    _work(order, heard, say)


class _Heard:
    """The pace that was heard last."""

    def __init__(self) -> None:
        self.pace = TrainingPace()

    def listen(self, stream: BinaryIO) -> None:
        """Hear paces until the stream ends: then the worker is gone, and its next one goes on from the checkpoint.

        Args:
            stream: the worker's end of the pipe.
        """
        while (message := frames.read(stream)) is not None:
            assert isinstance(message, TrainingPace), "a worker sends paces"
            self.pace = message
        os._exit(0)


def _work(order: TrainingRequest, heard: _Heard, say: Callable[[TrainingMessage], None]) -> None:
    # Not at the top: what libraries print as they load is not to reach the pipe, nor Ctrl-C them.
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
    """What a member hears of `error`; None for one that another attempt may not meet."""
    match error:
        case UserError():
            return str(error)
        case OSError(errno=errno.ENOSPC):
            return "The disk is full, so the training could not go on; ask whoever runs this server to make room."
        case _ if is_out_of_memory(error):
            return "This training needs more memory than the device has; use a smaller batch or a smaller model."
        case _:
            return None


if __name__ == "__main__":
    _main()
