"""One port for monitoring: /healthz, /readyz and /metrics."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot.assembly.http_edge import nowhere, refuse_expectation, server_logger
from bot.assembly.readiness import Check, Readiness
from bot.assembly.watchdog import Watchdog
from pipeline.errors import UserError
from storage.queue.job_queue import JobQueue


async def _healthz(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    return web.json_response({"status": "alive"})


def health_app(checks: dict[str, Check], queue: JobQueue) -> web.Application:
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
    """Serve `app` until the block ends; yields the port in use. Where the loop is silent, `watchdog` answers."""
    listeners = await asyncio.to_thread(_listen, host, port)
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


def _listen(host: str, port: int) -> tuple[socket.socket, ...]:
    """A listening socket for each address that `host` stands for; where it is empty, all addresses."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return tuple(
        socket.create_server(address[:2], family=family)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found)
    )
