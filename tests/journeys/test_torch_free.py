"""What talks to people never loads torch: it takes seconds and threads from those who wait for an answer."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from tests.eventually import eventually
from tests.journeys.terminal import end, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, some of which start a device

_HEAVY: Final = ("torch", "diffusers", "transformers", "peft")
_LIMNER: Final = f"""
import atexit, json, pathlib, sys
from bot.__main__ import main
report = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: report.write_text(json.dumps([name for name in {_HEAVY} if name in sys.modules])))
main()
"""


async def _start(*arguments: str, data: Path, **more: str) -> asyncio.subprocess.Process:
    """`limner` with `arguments`, which at its end leaves word of what it has loaded."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LIMNER, str(_report(data)), *arguments,
        env=environment(data / "limner", **more), cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def _report(data: Path) -> Path:
    return data / "loaded.json"


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [
        (("--help",), "", 0),
        (("migrate",), "", 0),
        (("models", "list"), "", 0),
        (("slack-manifest",), "", 0),
        (("doctor",), "", 1),  # nothing is migrated yet; it starts the device all the same
        (("imagine", "fox", "--steps", "1"), "", 0),
        (("chat",), "/help\n/imagine fox --steps 1\n", 0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_a_command_ends_without_torch(tmp_path: Path, arguments: tuple[str, ...], text: str, code: int) -> None:
    """Those that make an image too: torch lives in the device's process alone."""
    process = await _start(*arguments, data=tmp_path)
    async with asyncio.timeout(240):
        _, errors = await process.communicate(text.encode())

    assert process.returncode == code, errors.decode()
    assert json.loads(_report(tmp_path).read_text()) == []


async def test_serving_a_ready_pool_takes_no_torch(tmp_path: Path, unused_tcp_port: int) -> None:
    """Its heartbeat is never late for an import or a step."""
    process = await _start("serve", data=tmp_path, LIMNER_PORT=str(unused_tcp_port))

    async def ready() -> bool:
        try:
            url = f"http://127.0.0.1:{unused_tcp_port}/readyz"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await eventually(ready)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    finally:
        await end(process)

    assert process.returncode == 0, errors.decode()
    assert json.loads(_report(tmp_path).read_text()) == []
