"""`limner serve`: every configured platform and the pool, until a signal stops it."""

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, assert_never

from bot.assembly.health import health_app, running_health
from bot.assembly.platform_link import Joined, PlatformLink
from bot.assembly.readiness import Check, standard_checks
from bot.assembly.runtime import Runtime, open_runtime, running_pool
from bot.assembly.settings import Settings
from bot.assembly.watchdog import watching
from bot.slack.transport import Distributed, SignedRequests, SocketMode, Transport, transport
from handlers.messages.chat_platform import ChatPlatform
from handlers.registry import COMMANDS
from pipeline.error_log import ErrorLog
from pipeline.errors import UserError
from storage.errors import StorageError
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import JobState

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_JOINING_SECONDS: Final = 2.0
"""How long the pool waits for the platforms, so that a refused token ends a process that has begun nothing yet."""


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then stop softly: running jobs finish or go back to the queue.

    Raises UserError where nothing can be served: a port that cannot be had, a database that refuses us, or every
    platform's login refused. What may pass is waited for.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for line in platform_lines(settings):
        _log.info(line)
    async with AsyncExitStack() as stack:
        watchdog = stack.enter_context(watching())
        start, links = _Start(stop=stop), _links(settings)
        app = health_app(start.checks, start)
        app.add_routes([link.route(*path) for link, paths in links.items() for path in paths])
        port = await stack.enter_async_context(running_health(app, settings.host, settings.port, watchdog))
        runtime = await start.opened(settings, stack)
        if runtime is None:
            return
        for link in links:
            start.checks[link.name.casefold()] = link.check
            await stack.enter_async_context(link.running(runtime))
        with suppress(TimeoutError):
            async with asyncio.timeout(_JOINING_SECONDS):
                await asyncio.gather(*(link.settled() for link in links))
        _check_refusals(links)
        pool = running_pool(runtime, tuple(_chat(link) for link in links), serving=True)
        worker = await stack.enter_async_context(pool)
        start.checks |= standard_checks(runtime.database, worker, settings.data)
        # A search for garbage among all that the start made would hold every answer for a tenth of a second.
        gc.freeze()
        _log.info("serving the pool; health on http://%s:%d/readyz", settings.host, port)
        await _until_the_end(stop, links)
        _log.info("stopping: running pictures get %g s to finish", settings.drain_seconds)


@dataclass(slots=True, kw_only=True)
class _Start:
    """What can be said of a process before all of it is there."""

    stop: asyncio.Event
    checks: dict[str, Check] = field(default_factory=dict)
    queue: JobQueue | None = None
    trouble: str | None = "still starting"
    first_pause: float = _FIRST_PAUSE

    def __post_init__(self) -> None:
        self.checks["process"] = self._check

    async def counts(self) -> Mapping[JobState, int]:
        """How many jobs there are in each state; raises UserError before the database is open."""
        if self.queue is None:
            raise UserError("The database is not open yet.")
        return await self.queue.counts()

    async def opened(self, settings: Settings, stack: AsyncExitStack) -> Runtime | None:
        """The runtime, once what may pass has passed; None where the process was stopped before."""
        pause, errors = self.first_pause, ErrorLog(_log)
        while not self.stop.is_set():
            try:
                runtime = await stack.enter_async_context(open_runtime(settings))
            except UserError as error:
                if not error.passes:
                    raise
                errors.note(error, "it cannot start yet; it is tried again")
                self.trouble = error.plain if isinstance(error, StorageError) else str(error)
            else:
                self.queue, self.trouble = runtime.context.queue, None
                return runtime
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.stop.wait()
            pause = min(2 * pause, _LONGEST_PAUSE)
        return None

    async def _check(self) -> str | None:
        return "it is stopping" if self.stop.is_set() else self.trouble


def _links(settings: Settings) -> dict[PlatformLink, tuple[tuple[str, str], ...]]:
    """The configured platforms, each with the methods and paths that it answers; raises UserError."""
    links: dict[PlatformLink, tuple[tuple[str, str], ...]] = {}
    if settings.discord_token:
        links[PlatformLink(name="Discord", join=_discord)] = ()
    if chosen := transport(settings):
        # Only those who use Slack wait for it.
        from bot.slack.app import parse_names, route_paths  # noqa: PLC0415

        parse_names(settings, COMMANDS)
        links[PlatformLink(name="Slack", join=_slack)] = route_paths(chosen)
    return links


@asynccontextmanager
async def _discord(runtime: Runtime) -> AsyncIterator[Joined]:
    from bot.discord.app import running_discord  # noqa: PLC0415 - only those who use Discord wait for it

    async with running_discord(runtime.settings, runtime.context, runtime.supervisor) as app:
        yield Joined(chat=app.platform, check=app.check)


@asynccontextmanager
async def _slack(runtime: Runtime) -> AsyncIterator[Joined]:
    from bot.slack.app import running_slack  # noqa: PLC0415 - only those who use Slack wait for it

    chosen = transport(runtime.settings)
    assert chosen is not None  # or there were no link
    async with running_slack(chosen, runtime.settings, runtime) as app:
        yield Joined(chat=app.chat, check=app.check, routes=app.routes)


async def _chat(link: PlatformLink) -> ChatPlatform:
    return (await asyncio.shield(link.joined)).chat


async def _until_the_end(stop: asyncio.Event, links: Collection[PlatformLink]) -> None:
    """Wait for the signal, or for the last platform to refuse us, which raises UserError."""
    if not links:
        await stop.wait()
        return
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(_all_refuse(links))]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    if not stop.is_set():
        _check_refusals(links)


async def _all_refuse(links: Iterable[PlatformLink]) -> None:
    for link in links:
        await link.refused.wait()


def _check_refusals(links: Collection[PlatformLink]) -> None:
    """Raise UserError where every configured platform refuses us."""
    if links and all(link.refused.is_set() for link in links):
        raise UserError(" ".join(link.trouble for link in links))


def platform_lines(settings: Settings) -> tuple[str, ...]:
    """Which platforms are configured and what is missing for the others."""
    return (
        "Discord: DISCORD_TOKEN is set" if settings.discord_token else "Discord: DISCORD_TOKEN is not set",
        _slack_line(transport(settings)),
    )


def _slack_line(chosen: Transport | None) -> str:
    match chosen:
        case None:
            return "Slack: SLACK_BOT_TOKEN is not set (docs/slack.md)"
        case SocketMode():
            return "Slack: one workspace over Socket Mode"
        case SignedRequests():
            return "Slack: one workspace over requests to /slack/events"
        case Distributed():
            return "Slack: any workspace that installs at /slack/install"
        case _:
            assert_never(chosen)
