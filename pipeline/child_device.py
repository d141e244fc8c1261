"""A device in a process of its own, seen from its worker: asyncio, no torch."""

from collections.abc import AsyncIterator

from pipeline.device_messages import Event, Render
from pipeline.device_spec import DeviceSpec


class ChildDevice:
    """One engine in a child process; its death at any moment is one `Lost` event, never an exception here."""

    def __init__(self, spec: DeviceSpec) -> None:
        self._spec = spec

    @property
    def name(self) -> str:
        """For logs: `cpu`, `cuda:0`."""
        return self._spec.device

    async def start(self) -> None:
        """Spawn the process and begin to load; `Ready` follows as an event, or `Lost`."""
        raise NotImplementedError

    async def submit(self, render: Render) -> None:
        """Take a picture in; exactly one of Rendered, Refused, Faulted, Dropped or Lost ends it."""
        raise NotImplementedError

    async def cancel(self, ticket: str) -> None:
        """Drop a picture at its next step."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[Event]:
        """All events from here on; ends after `close`."""
        raise NotImplementedError

    async def restart(self) -> None:
        """Start anew after `Lost`."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the process; open tickets are dropped without an event."""
        raise NotImplementedError
