"""One port for monitoring: /healthz, /readyz and /metrics."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from aiohttp import web

from bot.assembly.http_edge import nowhere, refuse_expectation, server_logger
from bot.assembly.readiness import Check, Readiness
from bot.assembly.watchdog import Watchdog
from pipeline.errors import UserError
from storage.queue.jobs import JobState

_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class JobCounts(Protocol):
    """What /metrics shows."""

    async def counts(self) -> Mapping[JobState, int]:
        """How many jobs there are in each state; raises UserError."""


async def _healthz(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    return web.json_response({"status": "alive"})


def health_app(checks: dict[str, Check], queue: JobCounts) -> web.Application:
    """The application: /readyz runs `checks`, /metrics counts the queue's jobs in Prometheus' text form."""
    readiness = Readiness(checks=checks)

    async def readyz(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
        missing = await readiness.missing()
        status = "waiting" if missing else "ready"
        return web.json_response({"status": status, "missing": missing}, status=503 if missing else 200)

    async def metrics(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
        try:
            counts = await queue.counts()
        except UserError:
            return web.Response(status=503, text="The database cannot be used; /readyz says more.\n")
        lines = ["# HELP limner_jobs Jobs by state.", "# TYPE limner_jobs gauge"]
        lines += [f'limner_jobs{{state="{state.value}"}} {count}' for state, count in counts.items()]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    app = web.Application()
    for path, handler in (("/healthz", _healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.router.add_get(path, handler, expect_handler=refuse_expectation)
    app.router.add_route("*", "/{rest:.*}", nowhere, expect_handler=refuse_expectation)
    return app


@asynccontextmanager
async def running_health(
    app: web.Application, host: str, port: int, watchdog: Watchdog | None = None
) -> AsyncIterator[int]:
    """Serve `app` until the block ends; yields the port in use. Where the loop is silent, `watchdog` answers.

    Raises UserError where the port cannot be had.
    """
    listeners = await asyncio.to_thread(open_port, host, port)
    runner = web.AppRunner(app, access_log=None, logger=server_logger(), auto_decompress=False)
    await runner.setup()
    try:
        for listener in listeners:
            await web.SockSite(runner, listener).start()
        if watchdog is not None:
            watchdog.arm(listeners)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def open_port(host: str, port: int) -> tuple[socket.socket, ...]:
    """A listening socket for each address of this machine that `host` stands for; where it is empty, all addresses.

    Raises UserError.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _no_host(host) from error
    listeners: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            try:
                listeners.append(socket.create_server(address[:2], family=family))
            except OSError as error:
                # A machine without IPv6 has names that stand for an address of it all the same.
                if error.errno not in _NOT_HERE:
                    raise
        if not listeners:
            raise _no_host(host)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise _no_port(error, port) from error
    return tuple(listeners)


def _no_host(host: str) -> UserError:
    return UserError(
        f"LIMNER_HOST is '{host}', which is no address of this machine; use 127.0.0.1, or 0.0.0.0 for all addresses."
    )


def _no_port(error: OSError, port: int) -> UserError:
    match error.errno:
        case errno.EADDRINUSE:
            sentence = f"Port {port} is in use; stop the program that listens there, or set LIMNER_PORT to another."
        case errno.EACCES | errno.EPERM:
            sentence = f"This user may not listen on port {port}; set LIMNER_PORT to one above 1023."
        case _:
            sentence = f"Port {port} cannot be opened ({error.strerror or error}); set LIMNER_PORT to another."
    return UserError(sentence)
