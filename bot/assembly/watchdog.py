"""A thread that watches the event loop: one that is silent is reported, answered for, and at last ended."""

import asyncio
import faulthandler
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import SHUT_WR, socket
from typing import Final

_log = logging.getLogger(__name__)

EXIT_CODE: Final = 70
"""What a process ends with whose event loop stayed silent: an internal error, in the numbers of sysexits.h."""

_STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_CLOSE: Final = b"\0"
_REPORT_SECONDS: Final = 2.0
_CLIENT_SECONDS: Final = 1.0
_MOST_OF_A_REQUEST: Final = 2**16
_BODY: Final = b'{"status": "silent"}'
_ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogTimes:
    """In seconds: every `look` the loop is asked for a sign of life; each unanswered one is a miss.

    Time counts in misses alone, so that a machine that slept, or a process that was stopped for hours, has missed one.
    After misses for `silent` the stacks are logged and /healthz fails; after `end` the process ends, or after `stop`
    where it was asked to. `last_resort` ends one in which not even this thread can run.
    """

    look: float = 0.5
    silent: float = 5.0
    end: float = 30.0
    stop: float = 8.0
    last_resort: float = 120.0


class Watchdog:
    """Watches `loop` once it is `armed`; before that, and until it is closed, only after a signal to stop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, times: WatchdogTimes) -> None:
        self._loop = loop
        self._times = times
        self._listeners: tuple[socket, ...] | None = None
        self._alive = threading.Event()
        self._silent = threading.Event()
        self._closed = threading.Event()
        self._asked_to_stop = False
        self._misses = 0
        self._misses_since_asked = 0
        self._signals, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        self._loops_own = signal.set_wakeup_fd(self._wakeup)
        self._threads = [
            threading.Thread(target=self._watch, name="watchdog", daemon=True),
            threading.Thread(target=self._answer_for_loop, name="watchdog answers", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def arm(self, listeners: Sequence[socket] = ()) -> None:
        """From now on silence counts; while it lasts, those who ask at `listeners` are told so."""
        self._listeners = tuple(listeners)

    def close(self) -> None:
        """End the watch."""
        signal.set_wakeup_fd(self._loops_own)
        self._closed.set()
        os.write(self._wakeup, _CLOSE)
        for thread in self._threads:
            thread.join()
        os.close(self._signals)
        os.close(self._wakeup)

    def _watch(self) -> None:
        self._ask()
        while not self._closed.is_set():
            faulthandler.dump_traceback_later(self._times.last_resort, exit=True)
            self._hear_signals(self._times.look)
            if self._alive.is_set():
                self._recover()
                self._ask()
            elif not self._closed.is_set():
                self._miss()
        faulthandler.cancel_dump_traceback_later()

    def _ask(self) -> None:
        """Ask the loop for a sign of life; a loop that has ended gives none."""
        self._alive.clear()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._alive.set)

    def _hear_signals(self, seconds: float) -> None:
        """Pass signals on to the loop for so long; only this thread learns of them while the loop is blocked."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._closed.is_set():
            if not select.select([self._signals], [], [], left)[0]:
                return
            for number in os.read(self._signals, 256).strip(_CLOSE):
                self._asked_to_stop |= number in _STOPS
                with suppress(OSError):  # full, or the loop has ended
                    os.write(self._loops_own, bytes([number]))

    def _miss(self) -> None:
        times, self._misses = self._times, self._misses + 1
        self._misses_since_asked += self._asked_to_stop
        seconds = self._misses * times.look
        if self._misses_since_asked * times.look >= times.stop:
            self._end("it was asked to stop")
        if self._listeners is None:
            return
        if seconds >= times.silent and not self._silent.is_set():
            self._silent.set()
            self._report(f"the event loop has been silent for {seconds:g} s", logging.ERROR)
        if seconds >= times.end:
            self._end(f"it has been silent for {seconds:g} s")

    def _recover(self) -> None:
        if self._silent.is_set():
            _log.error("the event loop answers again, after %g s", self._misses * self._times.look)
        self._silent.clear()
        self._misses = self._misses_since_asked = 0

    def _end(self, why: str) -> None:
        self._report(f"the event loop does not answer and {why}; this process ends", logging.CRITICAL)
        os._exit(EXIT_CODE)

    def _report(self, why: str, level: int) -> None:
        """Log it with every thread's stack; in another thread, since the blocked one may hold the log's own lock."""

        def report() -> None:
            _log.log(level, "%s\n%s", why, _stacks())
            for handler in logging.getLogger().handlers:
                handler.flush()

        reporting = threading.Thread(target=report, name="watchdog report", daemon=True)
        reporting.start()
        reporting.join(_REPORT_SECONDS)

    def _answer_for_loop(self) -> None:
        """Answer those who connect while the loop is silent."""
        while not self._closed.is_set():
            if not self._silent.wait(self._times.look):
                continue
            # Those that the loop has closed meanwhile have no number any more.
            open_ones = [listener for listener in self._listeners or () if listener.fileno() >= 0]
            for listener in select.select(open_ones, [], [], self._times.look)[0]:
                with suppress(OSError):  # a client that has gone, or that the loop was there for after all
                    connection, _ = listener.accept()
                    _refuse(connection)


def _refuse(connection: socket) -> None:
    with connection:
        connection.settimeout(_CLIENT_SECONDS)
        connection.recv(_MOST_OF_A_REQUEST)
        connection.sendall(_ANSWER)
        connection.shutdown(SHUT_WR)


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(number, number)}:\n{''.join(traceback.format_stack(frame))}"
        for number, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way to all stacks
        if number != threading.get_ident()
    )


@contextmanager
def watching(times: WatchdogTimes | None = None) -> Iterator[Watchdog]:
    """Watch the running event loop until the block ends; only in a process's main thread."""
    watchdog = Watchdog(asyncio.get_running_loop(), times or WatchdogTimes())
    try:
        yield watchdog
    finally:
        watchdog.close()
