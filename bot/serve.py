"""`limner serve`: every configured platform and the pool, until a signal stops it."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from typing import assert_never

from bot.assembly.health import health_app, running_health
from bot.assembly.readiness import Check, standard_checks
from bot.assembly.runtime import open_runtime, running_pool
from bot.assembly.settings import Settings
from bot.assembly.watchdog import watching
from bot.slack.transport import Distributed, SignedRequests, SocketMode, Transport, transport
from handlers.messages.chat_platform import ChatPlatform

_log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then stop softly: running jobs finish or go back to the queue."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for line in platform_lines(settings):
        _log.info(line)
    async with AsyncExitStack() as stack:
        watchdog = stack.enter_context(watching())
        runtime = await stack.enter_async_context(open_runtime(settings))
        chats: list[ChatPlatform] = []
        checks: dict[str, Check] = {}
        if settings.discord_token:
            from bot.discord.app import running_discord  # noqa: PLC0415 - only those who use Discord wait for it

            discord = await stack.enter_async_context(running_discord(settings, runtime.context, runtime.supervisor))
            chats.append(discord.platform)
            checks["discord"] = discord.check
        slack = None
        if slack_transport := transport(settings):
            from bot.slack.app import open_slack  # noqa: PLC0415 - only those who use Slack wait for it

            slack = await stack.enter_async_context(open_slack(slack_transport, settings, runtime))
            chats.append(slack.chat)
            checks["slack"] = slack.check
        pool = running_pool(runtime, tuple(chats), serving=True)
        worker = await stack.enter_async_context(pool)
        standard = standard_checks(runtime.database, worker, settings.data)
        app = health_app(standard | checks, runtime.context.queue)
        if slack is not None:
            app.add_routes(slack.routes)
            await stack.enter_async_context(slack.listening())
        port = await stack.enter_async_context(running_health(app, settings.host, settings.port, watchdog))
        _log.info("serving the pool; health on http://%s:%d/readyz", settings.host, port)
        await stop.wait()
        _log.info("stopping: running pictures get %g s to finish", settings.drain_seconds)


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
