"""The seam to a device: what the worker asks of a GPU or CPU that renders."""

from collections.abc import AsyncIterator
from typing import Protocol

from pipeline.requests.device_messages import Event, Order
from pipeline.requests.image_request import ImageRequest


class Device(Protocol):
    """Renders images, each under its ticket; answers arrive as events in any order."""

    @property
    def name(self) -> str:
        """For logs: `cpu`, `cuda:0`."""

    async def start(self) -> None:
        """Begin to load; `Ready` follows as an event."""

    async def submit(self, order: Order) -> None:
        """Take an image or a map in; exactly one of Rendered, Refused, Faulted, Dropped, Suspended or Lost ends it."""

    async def cancel(self, ticket: str) -> None:
        """Drop an image at its next step."""

    async def suspend(self, ticket: str) -> None:
        """Set an unfinished image aside at its next step."""

    async def expect(self, request: ImageRequest) -> None:
        """Load ahead what `request`, which waits in the queue, will need."""

    def events(self) -> AsyncIterator[Event]:
        """All events from here on; ends after `close`. After `Lost` the device may be started again."""

    async def kill(self) -> None:
        """End the device at once, whatever it does; `Lost` follows as an event."""

    async def restart(self) -> None:
        """Start again after `Lost`."""

    async def close(self) -> None:
        """End the device; open tickets are dropped without an event."""
