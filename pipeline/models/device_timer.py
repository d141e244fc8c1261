"""The device's own time: a GPU works behind the program's back, so the program's clock would tell of something else."""

import time
from types import TracebackType

import torch


class Span:
    """A stretch of a device's time, as a context manager; reading `seconds` waits for its end.

    Args:
        device: the one that works; on a GPU its current stream is timed by events.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._began = self._ended = 0.0
        self._events: tuple[torch.cuda.Event, torch.cuda.Event] | None = None

    def __enter__(self) -> "Span":
        if self._device.type == "cuda":
            self._events = _event(), _event()
            self._events[0].record(torch.cuda.current_stream(self._device))
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = time.perf_counter()
        if self._events is not None:
            self._events[1].record(torch.cuda.current_stream(self._device))

    def wait(self) -> None:
        """Return when the device has come to its end."""
        if self._events is not None:
            self._events[1].synchronize()

    @property
    def seconds(self) -> float:
        """How long it took."""
        self.wait()
        if self._events is None:
            return self._ended - self._began
        began, ended = self._events
        return float(began.elapsed_time(ended)) / 1000


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch has no types for it
