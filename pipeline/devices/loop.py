"""The life of a device: take commands, step the engine, say what happened. Runs in a child process or on a thread."""

import logging
import os
import queue
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, assert_never

from pipeline.errors import UserError
from pipeline.requests.device_messages import (
    Alive,
    Cancel,
    Command,
    DrawMap,
    Event,
    Expect,
    Lost,
    Render,
    Shutdown,
    Suspend,
)
from pipeline.requests.device_spec import DeviceSpec

if TYPE_CHECKING:
    from pipeline.engine.engine import Engine

_log = logging.getLogger(__name__)
# How often a device that is at work is heard of, whatever it waits for.
_ALIVE_SECONDS = 5.0

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


def _serve(engine: "Engine", commands: Commands, say: Callable[[Event], None]) -> None:
    from pipeline.control.control_map import drawn  # noqa: PLC0415 - as above

    said_at = time.monotonic()
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
        events = engine.step()
        if not events and time.monotonic() - said_at > _ALIVE_SECONDS:
            events = [Alive()]
        for event in events:
            said_at = time.monotonic()
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
