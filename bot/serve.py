"""`limner serve`: every configured platform and the pool, until it is told to stop."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from bot.assembly import open_workshop, running_pool
from bot.health import Check, health_app, running_health, standard_checks
from bot.settings import Settings
from handlers.chat_platform import ChatPlatform

_log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then stop softly: running pictures finish or go back to the queue."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for line in platform_lines(settings):
        _log.info(line)
    async with AsyncExitStack() as stack:
        workshop = await stack.enter_async_context(open_workshop(settings))
        chats: list[ChatPlatform] = []
        checks: dict[str, Check] = {}
        if settings.discord_token:
            from bot.discord.run import running_discord  # noqa: PLC0415 - only those who use Discord wait for it

            discord = await stack.enter_async_context(running_discord(settings, workshop.studio))
            chats.append(discord.platform)
            checks["discord"] = discord.check
        worker = await stack.enter_async_context(running_pool(workshop, tuple(chats)))
        app = health_app(standard_checks(workshop.database, worker) | checks, workshop.studio.queue)
        port = await stack.enter_async_context(running_health(app, settings.host, settings.port))
        _log.info("serving the pool; health on http://%s:%d/readyz", settings.host, port)
        await stop.wait()
        _log.info("stopping: running pictures get %g s to finish", settings.drain_seconds)


def platform_lines(settings: Settings) -> tuple[str, ...]:
    """Which platforms are configured and what is missing for the others."""
    return (
        "Discord: DISCORD_TOKEN is set" if settings.discord_token else "Discord: DISCORD_TOKEN is not set",
        "Slack: not served by this version yet" if settings.slack_bot_token else "Slack: SLACK_BOT_TOKEN is not set",
    )
