"""A device in a process of its own, seen from its worker: asyncio, no torch."""

import asyncio
import logging
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from typing import Final

from pipeline.processes import frames
from pipeline.processes.child import start
from pipeline.requests.device_messages import Cancel, Command, Event, Expect, Lost, Order, Suspend
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest

_log = logging.getLogger(__name__)

_PROGRAM: Final = "pipeline.devices.program"
_PATIENCE_SECONDS: Final = 5.0
_NICE_ON_CPU: Final = 5
"""There denoising takes every core that it is given for as long as there is work."""


class ChildDevice:
    """One engine in a child process; its death at any moment is one `Lost` event, never an exception here.

    The process ends with this one, however this one ends, because its standard input does.

    Args:
        spec: what the engine loads, and where it runs.
        program: the module that the process runs.
    """

    def __init__(self, spec: DeviceSpec, program: str = _PROGRAM) -> None:
        self._spec = spec
        self._program = program
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """For logs: `cpu`, `cuda:0`."""
        return self._spec.device

    async def start(self) -> None:
        """Spawn the process and begin to load; `Ready` follows as an event, or `Lost`."""
        on_gpu = self._spec.device.startswith("cuda")
        process = await start(self._program, nice=0 if on_gpu else _NICE_ON_CPU)
        self._process = process
        self._reading = asyncio.create_task(self._read(process))
        await self._send(self._spec)

    async def submit(self, order: Order) -> None:
        """Take in an image or a map; one event ends it: Rendered, Refused, Faulted, Dropped, Suspended or Lost.

        Args:
            order: what to make, and the ticket that its events carry.
        """
        if self._process is None:
            self._events.put_nowait(Lost(why="the device is not running"))
        await self._send(order)

    async def expect(self, request: ImageRequest) -> None:
        """Load in advance what a request will need.

        Args:
            request: waits in the queue.
        """
        await self._send(Expect(request=request))

    async def cancel(self, ticket: str) -> None:
        """Drop an image at its next step.

        Args:
            ticket: of its order; an unknown one is ignored.
        """
        await self._send(Cancel(ticket=ticket))

    async def suspend(self, ticket: str) -> None:
        """Take an unfinished image off the device at its next step; `Suspended` carries its snapshot.

        Args:
            ticket: of its order; an unknown one is ignored.
        """
        await self._send(Suspend(ticket=ticket))

    async def events(self) -> AsyncIterator[Event]:
        """What happens on the device.

        Yields:
            Each event from here on; ends after `close`.
        """
        while (event := await self._events.get()) is not None:
            yield event

    async def kill(self) -> None:
        """End the process at once; `Lost` follows as an event."""
        if self._process is not None:
            self._process.kill()

    async def restart(self) -> None:
        """Start again after `Lost`."""
        await self._stop()
        await self.start()

    async def close(self) -> None:
        """End the process; open tickets are dropped without an event."""
        await self._stop()
        self._events.put_nowait(None)

    async def _send(self, message: DeviceSpec | Command) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None, "the process was started with a pipe"
        try:
            self._process.stdin.write(frames.pack(message))
            await self._process.stdin.drain()
        except ConnectionError:
            return  # the process is gone, which `_read` reports

    async def _read(self, process: Process) -> None:
        try:
            why = await self._last_words(process)
        except Exception as error:
            # Whatever it was, the worker is told: a device that nobody hears would keep its jobs for ever.
            _log.exception("what device %s sent cannot be read", self.name)
            why = f"what it sent cannot be read ({type(error).__name__})"
        code = await _ended(process)
        self._process = None
        self._events.put_nowait(Lost(why=why or f"the device's process ended with {_meaning(code)}"))

    async def _last_words(self, process: Process) -> str:
        """Pass on each event until the process ends; why it did, where it says so."""
        assert process.stdout is not None, "the process was started with a pipe"
        while (message := await frames.receive(process.stdout)) is not None:
            if isinstance(message, Lost):
                return message.why
            assert isinstance(message, Event), "a device sends events"
            self._events.put_nowait(message)
        return ""

    async def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        if self._process is not None:
            await _ended(self._process)
        self._process = self._reading = None


async def _ended(process: Process) -> int:
    """The exit status of a process whose pipe is closed, by force if it does not go by itself."""
    assert process.stdin is not None, "the process was started with a pipe"
    process.stdin.close()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()


def _meaning(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"
