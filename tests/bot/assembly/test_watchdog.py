"""What becomes of a real process whose event loop is blocked."""

import asyncio
import signal
import sys
import textwrap
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from bot.assembly.watchdog import EXIT_CODE, WatchdogTimes
from tests.eventually import eventually

pytestmark = pytest.mark.slow  # real processes

_PROGRAM: Final = """
import asyncio, hashlib, logging, re, signal, time
from aiohttp import web
from bot.assembly.health import health_app, running_health
from bot.assembly.logs import configure_logging
from bot.assembly.watchdog import WatchdogTimes, watching


def block_here():
    BLOCK


async def main():
    configure_logging(logging.INFO)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, block_here)
    with watching(WatchdogTimes(TIMES)) as watchdog:
        async with running_health(health_app({}, None), "127.0.0.1", 0, watchdog) as port:
            print(port, flush=True)
            await stop.wait()
    print("stopped softly", flush=True)


asyncio.run(main())
"""
_QUICK: Final = "look=0.05, silent=0.3, end=END, stop=STOP, last_resort=LAST"


class Blocked:
    """A process that blocks its loop at SIGUSR1, and the port of its /healthz."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    def health(self) -> int:
        """The status of /healthz; 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    async def until(self, status: int) -> bool:
        """Wait until /healthz answers so."""

        async def look() -> bool:
            return await asyncio.to_thread(self.health) == status

        return await eventually(look)

    async def end(self) -> tuple[int, str, str]:
        """Wait for its end: its exit code, what it printed and what it logged."""
        async with asyncio.timeout(120):
            out, log = await self.process.communicate()
        return self.process.returncode or 0, out.decode(), log.decode()


@asynccontextmanager
async def blocked(
    by: str, *, end: float = 600.0, stop: float = 600.0, last_resort: float = 60.0
) -> AsyncIterator[Blocked]:
    times = _QUICK.replace("END", str(end)).replace("STOP", str(stop)).replace("LAST", str(last_resort))
    program = _PROGRAM.replace("TIMES", times).replace("BLOCK", textwrap.indent(by, "    ").strip())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=PIPE, stderr=PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    try:
        yield Blocked(process, int(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("by", ["time.sleep(600)", "while True: pass"])
async def test_a_silent_loop_fails_its_health_and_ends_with_its_own_code(by: str) -> None:
    """Whether it waits or computes: 503 while it is silent, all stacks in the log, and an end for the supervisor."""
    async with blocked(by, end=3.0) as server:
        assert await server.until(200)
        server.process.send_signal(signal.SIGUSR1)
        assert await server.until(503)
        code, out, log = await server.end()

    assert code == EXIT_CODE
    assert "stopped softly" not in out
    assert "block_here" in log
    assert "the event loop has been silent" in log
    assert "this process ends" in log
    assert "watchdog answers" in log  # the stacks of all threads


async def test_a_loop_that_answers_again_is_well(tmp_path: Path) -> None:
    """Nothing is left of the silence, and a signal ends the process softly."""
    gate = tmp_path / "gate"
    async with blocked(f"import os\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)") as server:
        server.process.send_signal(signal.SIGUSR1)
        assert await server.until(503)
        gate.touch()
        assert await server.until(200)
        server.process.send_signal(signal.SIGTERM)
        code, out, log = await server.end()

    assert (code, out.split()) == (0, ["stopped", "softly"])
    assert "answers again" in log


async def test_a_blocked_process_ends_soon_after_sigterm() -> None:
    """The loop never hears the signal; the watchdog does."""
    async with blocked("while True: pass", stop=1.0) as server:
        server.process.send_signal(signal.SIGUSR1)
        assert await server.until(503)
        server.process.send_signal(signal.SIGTERM)
        code, _, log = await server.end()

    assert code == EXIT_CODE
    assert "it was asked to stop" in log


async def test_a_process_that_slept_lives_on() -> None:
    """A laptop's lid, or a debugger: the clock went on, and one look at most was missed."""
    async with blocked("pass", end=0.6) as server:
        assert await server.until(200)
        for _ in range(3):
            server.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)  # what is tested is that this time does not count
            server.process.send_signal(signal.SIGCONT)
            assert await server.until(200)
        server.process.send_signal(signal.SIGTERM)
        code, out, log = await server.end()

    assert (code, out.split()) == (0, ["stopped", "softly"])
    assert "silent" not in log


async def test_a_blocked_log_does_not_keep_the_process_alive() -> None:
    """The blocked thread may hold the very lock that logging needs."""
    async with blocked("logging.getLogger().handlers[0].acquire()\nwhile True: pass", end=1.0) as server:
        server.process.send_signal(signal.SIGUSR1)
        code, _, _ = await server.end()

    assert code == EXIT_CODE


async def test_a_process_in_which_no_thread_can_run_ends_too() -> None:
    """Python's own lock is held by a regular expression that never ends: the C library's timer needs no lock."""
    async with blocked("re.fullmatch('(a+)+b', 'a' * 60)", last_resort=2.0) as server:
        server.process.send_signal(signal.SIGUSR1)
        code, _, log = await server.end()

    assert code == 1
    assert "block_here" in log


def test_the_usual_times_are_those_that_the_docs_name() -> None:
    """Health fails after 5 s and the process ends after 30 s, each of several looks."""
    times = WatchdogTimes()
    assert (times.silent, times.end) == (5.0, 30.0)
    assert times.silent / times.look >= 5
    assert times.stop < 10  # what Docker waits before it kills
