"""`limner` as its own process, as a person at a terminal starts it.

What talks to people never loads torch, which takes seconds and threads from those who wait for an answer: a process
that did ends with an exit code of its own.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from tests.eventually import eventually

_PATIENCE = 240.0
_LONGEST_LINE = 2**24
_HEAVY = {"torch", "diffusers", "transformers", "peft"}
_LIMNER = f"""
import atexit, os, sys
from bot.__main__ import main

def end():
    if loaded := {_HEAVY} & set(sys.modules):
        os.write(2, f"loaded {{loaded}}\\n".encode())
        os._exit(70)

atexit.register(end)
main()
"""


def environment(data: Path, **more: str) -> dict[str, str]:
    """A clean environment with its own data folder; nothing of the developer's settings leaks in."""
    wanted = {"PATH", "HOME", "LANG", "COVERAGE_PROCESS_CONFIG"}
    kept = {name: value for name, value in os.environ.items() if name in wanted}
    return {
        **kept, "LIMNER_DATA": str(data), "LIMNER_STALE_SECONDS": "3", "LIMNER_PORT": "0", "OMP_NUM_THREADS": "1",
        "LIMNER_CALIBRATION_SECONDS": "0", "LIMNER_COMPILE": "off",
        "HF_HUB_OFFLINE": "1", **more,
    }  # fmt: skip


async def start(arguments: tuple[str, ...], data: Path, **more: str) -> asyncio.subprocess.Process:
    """Start `limner` with `arguments`, its streams piped."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LIMNER, *arguments, env=environment(data, **more), cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )  # fmt: skip


async def run(*arguments: str, data: Path, text: str = "", **more: str) -> tuple[int, str, str]:
    """Run `limner` to its end; its exit code, what it printed, what it complained about."""
    process = await start(arguments, data, **more)
    async with asyncio.timeout(_PATIENCE):
        out, err = await process.communicate(text.encode())
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def running(*arguments: str, data: Path, text: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """`limner` with `text` typed in, killed with its children at the end if it still runs."""
    process = await start(arguments, data)
    assert process.stdin is not None
    process.stdin.write(text.encode())
    process.stdin.close()
    try:
        yield process
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    """End the process and its devices if it still runs."""
    if process.returncode is None:
        for child in children(process):
            child.kill()
        process.kill()
    await process.communicate()


def children(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    """The device processes below `process`."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(pid: int) -> None:
    """End a process as a power cut would."""
    os.kill(pid, signal.SIGKILL)


async def images(folder: Path, count: int) -> list[Path]:
    """The images in `folder`, once there are at least `count`."""

    async def look() -> list[Path] | None:
        found = sorted(folder.glob("*.png")) if folder.exists() else []
        return found if len(found) >= count else None

    return await eventually(look)
