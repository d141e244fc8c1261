"""The program of a device's process: `python -m pipeline.devices.program` hears its spec, then commands."""

import contextlib
import os
import queue
import threading
from typing import BinaryIO

from pipeline.devices.loop import Commands, run_device
from pipeline.processes import frames
from pipeline.processes.program import keeping_all, open_frames
from pipeline.requests.device_messages import Command
from pipeline.requests.device_spec import DeviceSpec


def _main() -> None:
    stream, say = open_frames()
    spec = frames.read(stream)
    assert isinstance(spec, DeviceSpec), "a worker begins with the spec"
    commands: Commands = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(stream, commands), daemon=True).start()
    # What fails here fails again in `run_device`, which says why.
    with keeping_all(), contextlib.suppress(Exception):
        import pipeline.engine.engine  # noqa: F401, PLC0415  takes seconds, in which the commands are heard already
    run_device(spec, commands, say)


def _listen(stream: BinaryIO, commands: Commands) -> None:
    """Pass commands on; the end of the stream means that the worker is gone, and no step is worth finishing."""
    while (command := frames.read(stream)) is not None:
        assert isinstance(command, Command), "a worker sends commands"
        commands.put(command)
    os._exit(0)


if __name__ == "__main__":
    _main()
