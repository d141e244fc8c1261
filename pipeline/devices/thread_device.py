"""A device inside this process, its engine on a thread: for the terminal and for tests."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator

from pipeline.devices.loop import Commands, run_device
from pipeline.requests.device_messages import Cancel, Event, Expect, Lost, Order, Shutdown, Suspend
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest


class LocalDevice:
    """The same interface as `ChildDevice`, without the process: it starts sooner, and dies with this one.

    Args:
        spec: what the engine loads, and where it runs.
    """

    def __init__(self, spec: DeviceSpec) -> None:
        self._spec = spec
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._commands: Commands = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """For logs: `cpu`, `cuda:0`."""
        return self._spec.device

    async def start(self) -> None:
        """Start the thread and begin to load; `Ready` follows as an event, or `Lost`."""
        loop = asyncio.get_running_loop()

        def say(event: Event) -> None:
            loop.call_soon_threadsafe(self._events.put_nowait, event)

        self._commands = queue.SimpleQueue()
        # A daemon: an interrupted program does not wait for a model to finish loading.
        self._thread = threading.Thread(
            target=run_device, args=(self._spec, self._commands, say), name="device", daemon=True
        )
        self._thread.start()

    async def submit(self, order: Order) -> None:
        """Take in an image or a map; one event ends it: Rendered, Refused, Faulted, Dropped, Suspended or Lost.

        Args:
            order: what to make, and the ticket that its events carry.
        """
        if self._thread is None or not self._thread.is_alive():
            self._events.put_nowait(Lost(why="the device is not running"))
        self._commands.put(order)

    async def expect(self, request: ImageRequest) -> None:
        """Load in advance what a request will need.

        Args:
            request: waits in the queue.
        """
        self._commands.put(Expect(request=request))

    async def cancel(self, ticket: str) -> None:
        """Drop an image at its next step.

        Args:
            ticket: of its order; an unknown one is ignored.
        """
        self._commands.put(Cancel(ticket=ticket))

    async def suspend(self, ticket: str) -> None:
        """Take an unfinished image off the device at its next step; `Suspended` carries its snapshot.

        Args:
            ticket: of its order; an unknown one is ignored.
        """
        self._commands.put(Suspend(ticket=ticket))

    async def events(self) -> AsyncIterator[Event]:
        """What happens on the device.

        Yields:
            Each event from here on; ends after `close`.
        """
        while (event := await self._events.get()) is not None:
            yield event

    async def kill(self) -> None:
        """Leave the thread to itself, since it cannot be ended; `Lost` follows as an event."""
        self._thread = None
        self._events.put_nowait(Lost(why="the device's thread was given up"))

    async def restart(self) -> None:
        """Start again after `Lost`."""
        await self._stop()
        await self.start()

    async def close(self) -> None:
        """End the thread; open tickets are dropped without an event."""
        await self._stop()
        self._events.put_nowait(None)

    async def _stop(self) -> None:
        self._commands.put(Shutdown())
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        self._thread = None
