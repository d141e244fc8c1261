"""`limner serve`, ended by SIGKILL at a named point: the program that `benchmarks.chaos` starts its processes with.

It imports all that `limner serve` needs once; then each line that it reads begins a process, a fork, and is answered
by its number. What a process may die at is wrapped here and not in the program: what it commits, the blobs that it
stores, what it asks of a platform, and what it answers Slack.
"""

import ctypes
import importlib
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn

import aiohttp
from aiohttp import web
from yarl import URL

from storage.blobs import FileBlobStore
from storage.database import Database

LEASE_SECONDS: Final = 15
"""How long a reply belongs to a process that died while it posted it: a quarter of the usual, to wait less."""

_NEEDED: Final = (
    "bot.__main__", "bot.serve", "bot.discord.app", "bot.slack.app", "alembic.command", "alembic.config", "aiosqlite",
    "asyncpg", "sqlalchemy.dialects.postgresql.asyncpg", "sqlalchemy.dialects.sqlite.aiosqlite",
    "pipeline.lora.sources.sources",
)  # fmt: skip
_DIES_WITH_PARENT: Final = 1
_SLACK_POSTS: Final = re.compile(r"chat\.\w+|views\.\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which process to begin: its environment, where it logs and reports, what it dies at, whether it has an engine."""

    environment: dict[str, str]
    log: str
    report: str
    point: str
    occasion: int
    engine: bool


@dataclass(slots=True)
class Points:
    """Counts what is reached, reports what is reached first, and dies at the n-th occasion of `point`."""

    report: int
    point: str
    occasion: int
    reached: Counter[str] = field(default_factory=Counter)

    def reach(self, point: str) -> None:
        """Die here, if it is the time."""
        self.reached[point] += 1
        if self.reached[point] == 1:
            os.write(self.report, f"{point}\n".encode())
        if point == self.point and self.reached[point] == self.occasion:
            os.write(self.report, b"killed\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Wrap all that a process may die at."""
        self._watch_commits()
        for name in ("put", "put_chunks", "put_file"):
            setattr(FileBlobStore, name, self._around("blob", getattr(FileBlobStore, name)))
        self._watch_requests()
        self._watch_acknowledgements()

    def _watch_commits(self) -> None:
        begin = Database.write

        @asynccontextmanager
        async def dying(name: str, *given: Any, **named: Any) -> AsyncIterator[Any]:
            async with begin(*given, **named) as connection:
                yield connection
                self.reach(f"before commit: {name}")
            self.reach(f"after commit: {name}")

        def write(*given: Any, **named: Any) -> AbstractAsyncContextManager[Any]:
            return dying(sys._getframe(1).f_code.co_qualname, *given, **named)  # noqa: SLF001 - who writes, by name

        Database.write = write  # type: ignore[method-assign, assignment] # what this module is for

    def _around(self, name: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(work)
        async def dying(*given: Any, **named: Any) -> Any:
            self.reach(f"before {name}")
            result = await work(*given, **named)
            self.reach(f"after {name}")
            return result

        return dying

    def _watch_requests(self) -> None:
        ask = aiohttp.ClientSession._request  # noqa: SLF001 - the one place that all requests pass

        async def request(session: aiohttp.ClientSession, method: str, url: Any, **options: Any) -> Any:
            name = request_name(method, URL(url).path, with_files=isinstance(options.get("data"), aiohttp.FormData))
            if name is None:
                return await ask(session, method, url, **options)
            self.reach(f"before {name}")
            answer = await ask(session, method, url, **options)
            self.reach(f"after {name}")
            return answer

        aiohttp.ClientSession._request = request  # type: ignore[method-assign, assignment]  # noqa: SLF001

    def _watch_acknowledgements(self) -> None:
        prepare, write_end = web.Response.prepare, web.Response.write_eof

        async def dying_prepare(response: web.Response, request: web.BaseRequest) -> Any:
            if request.path == "/slack/events":
                self.reach("before acknowledgement: Slack")
            return await prepare(response, request)

        async def dying_write_end(response: web.Response, data: bytes = b"") -> None:
            path = "" if response._req is None else response._req.path  # noqa: SLF001 - known from nowhere else
            await write_end(response, data)
            if path == "/slack/events":
                self.reach("after acknowledgement: Slack")

        web.Response.prepare = dying_prepare  # type: ignore[method-assign, assignment]
        web.Response.write_eof = dying_write_end  # type: ignore[method-assign, assignment]


def request_name(method: str, path: str, *, with_files: bool) -> str | None:
    """What a request to a platform is, None for one that members see nothing of."""
    last = path.rsplit("/", 1)[-1]
    if last == "callback":
        return "acknowledgement: Discord"
    if "/upload/" in path or last in {"files.getUploadURLExternal", "files.completeUploadExternal"}:
        return f"upload: {'the bytes' if '/upload/' in path else last}"
    if "/response/" in path:
        return "post: response_url"
    if _SLACK_POSTS.fullmatch(last):
        return f"post: {last}"
    if method in {"POST", "PATCH", "DELETE"} and ("/webhooks/" in path or "/messages" in path):
        whose = "answer" if "/webhooks/" in path else "message"
        return f"{'upload' if with_files else 'post'}: {method} {whose}"
    return None


def _use_no_engine() -> None:
    """Let a device and an import be programs that begin at once."""
    from bot.assembly import runtime  # noqa: PLC0415
    from pipeline.devices.process_device import ChildDevice  # noqa: PLC0415
    from pipeline.lora.importing import import_process  # noqa: PLC0415
    from pipeline.requests.device_spec import DeviceSpec  # noqa: PLC0415

    def devices(settings: Any, *, serving: bool = False) -> tuple[ChildDevice, ...]:  # noqa: ARG001
        return (ChildDevice(DeviceSpec(models=settings.models), "benchmarks.chaos_device"),)

    runtime.open_devices = devices
    import_process._PROGRAM = "benchmarks.chaos_importer"  # type: ignore[misc]  # noqa: SLF001


def _shorten_waits() -> None:
    """Let leases end sooner, and Slack's limits count seconds, not minutes: waiting is not what is measured."""
    from bot.slack import rate_limit  # noqa: PLC0415
    from handlers.delivery import delivery  # noqa: PLC0415
    from storage.queue.outbox import Outbox  # noqa: PLC0415

    Outbox.__init__.__defaults__ = (LEASE_SECONDS,)
    delivery._RENEWAL_SECONDS = LEASE_SECONDS / 3  # type: ignore[misc]  # noqa: SLF001
    rate_limit._WINDOW_SECONDS, rate_limit._POST_SECONDS = 1.0, 0.05  # type: ignore[misc]  # noqa: SLF001
    rate_limit._PROGRESS_SECONDS = 0.2  # type: ignore[misc]  # noqa: SLF001


def _live(order: Order) -> NoReturn:
    """Be `limner serve` to the end."""
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order.environment)
    report = os.open(order.report, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    Points(report=report, point=order.point, occasion=order.occasion).watch()
    _shorten_waits()
    if not order.engine:
        _use_no_engine()
    sys.argv = ["limner", "serve"]
    code: object = 1
    try:
        importlib.import_module("bot.__main__").app()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _main() -> None:
    for module in _NEEDED:
        importlib.import_module(module)
    # Nobody waits for the processes: that they have ended is seen from outside.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while line := sys.stdin.readline():
        order = Order(**json.loads(line))
        Path(order.report).unlink(missing_ok=True)
        if (pid := os.fork()) == 0:
            _live(order)
        print(pid, flush=True)


if __name__ == "__main__":
    _main()
