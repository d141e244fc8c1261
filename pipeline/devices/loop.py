"""The life of a device: take commands, step the engine, say what happened. Runs in a child process or on a thread."""

import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, assert_never

from pipeline.errors import UserError
from pipeline.processes import frames
from pipeline.requests.device_messages import Cancel, Command, DrawMap, Event, Expect, Lost, Render, Shutdown, Suspend
from pipeline.requests.device_spec import DeviceSpec

if TYPE_CHECKING:
    from pipeline.engine.engine import Engine

_log = logging.getLogger(__name__)

Commands = queue.SimpleQueue[Command]


def run_device(spec: DeviceSpec, commands: Commands, say: Callable[[Event], None]) -> None:
    """Load an engine and serve it until Shutdown.

    Args:
        spec: what to load, and where it runs.
        commands: read until Shutdown; a worker puts them in.
        say: called with every event, on this thread. What cannot be loaded, or breaks the engine itself, is one
            Lost.
    """
    # Threads that spin while they wait take a shared machine's cores from each other: six times slower, measured.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        # Not at the top: torch and the models' libraries take seconds, and starting a device must not take as long.
        from pipeline.engine.engine import Engine  # noqa: PLC0415

        _serve(Engine(spec), commands, say)
    except UserError as error:
        say(Lost(why=str(error)))
    except Exception as error:
        _log.exception("the device broke")
        say(Lost(why=f"{type(error).__name__}: {error}"))


def main() -> None:
    """The program of a device's process: its spec and commands arrive on standard input, its events leave on standard
    output.
    """
    # Ctrl-C reaches every process of a terminal; the worker alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What libraries print goes to the log; the pipe carries messages alone.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    spec = frames.read(sys.stdin.buffer)
    assert isinstance(spec, DeviceSpec), "a worker begins with the spec"
    commands: Commands = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, commands), daemon=True).start()

    def say(event: Event) -> None:
        events.write(frames.pack(event))
        events.flush()

    run_device(spec, commands, say)


def _serve(engine: "Engine", commands: Commands, say: Callable[[Event], None]) -> None:
    from pipeline.control.control_map import drawn  # noqa: PLC0415 - as above

    while True:
        for command in _arrived(commands, wait=engine.idle):
            match command:
                case Render():
                    engine.admit(command.ticket, command.request, command.snapshot, command.images)
                case DrawMap():
                    say(drawn(command))
                case Expect():
                    engine.expect(command.request)
                case Cancel():
                    engine.cancel(command.ticket)
                case Suspend():
                    engine.suspend(command.ticket)
                case Shutdown():
                    return
                case never:
                    assert_never(never)
        for event in engine.step():
            say(event)


def _arrived(commands: Commands, *, wait: bool) -> Iterator[Command]:
    """The commands that are there; with `wait`, after at least one has come."""
    if wait:
        yield commands.get()
    while True:
        try:
            yield commands.get_nowait()
        except queue.Empty:
            return


def _listen(stream: BinaryIO, commands: Commands) -> None:
    """Pass commands on; the end of the stream means that the worker is gone, and no step is worth finishing."""
    while (command := frames.read(stream)) is not None:
        assert isinstance(command, Command), "a worker sends commands"
        commands.put(command)
    os._exit(0)
