"""`limner serve`: every configured platform and the pool, until it is told to stop."""

import asyncio
import logging
import signal

from bot.assembly import open_workshop, running_pool
from bot.health import health_app, running_health, standard_checks
from bot.settings import Settings
from handlers.chat_platform import ChatPlatform

_log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then stop softly: running pictures finish or go back to the queue."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    chats: tuple[ChatPlatform, ...] = ()
    for line in platform_lines(settings):
        _log.info(line)
    async with open_workshop(settings) as workshop, running_pool(workshop, chats) as worker:
        app = health_app(standard_checks(workshop.database, worker), workshop.studio.queue)
        async with running_health(app, settings.host, settings.port) as port:
            _log.info("serving the pool; health on http://%s:%d/readyz", settings.host, port)
            await stop.wait()
            _log.info("stopping: running pictures get %g s to finish", settings.drain_seconds)


def platform_lines(settings: Settings) -> tuple[str, ...]:
    """Which platforms are configured and what is missing for the others."""
    return (
        "Discord: not served by this version yet" if settings.discord_token else "Discord: DISCORD_TOKEN is not set",
        "Slack: not served by this version yet" if settings.slack_bot_token else "Slack: SLACK_BOT_TOKEN is not set",
    )
