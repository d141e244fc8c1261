"""What a port that anyone can reach must bear: requests that are none are refused, and hardly logged."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

_LOG_SECONDS: Final = 60.0


@dataclass(slots=True, kw_only=True)
class RefusalLog:
    """Counts what is refused, and says how much it was once a minute at most."""

    logger: logging.Logger
    words: str
    clock: Callable[[], float] = time.monotonic
    _count: int = 0
    _said_at: float = float("-inf")

    def note(self) -> None:
        """One more was refused."""
        self._count += 1
        if self.clock() - self._said_at >= _LOG_SECONDS:
            self.logger.warning(self.words, self._count)
            self._count, self._said_at = 0, self.clock()


class _WithoutRubbish(logging.Filter):
    """Lets through the server's errors but for those that a request's own bytes made."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = RefusalLog(logger=logging.getLogger(__name__), words="refused %d requests that are no HTTP")

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            self._refused.note()
            return False
        return True


def server_logger() -> logging.Logger:
    """The logger of an HTTP server."""
    logger = logging.Logger("limner.http")
    logger.parent = logging.getLogger()
    logger.addFilter(_WithoutRubbish())
    return logger


async def refuse_expectation(request: web.Request) -> web.StreamResponse | None:
    """Answer the header Expect as aiohttp does, but for repeating its words, which may be no text."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return web.Response(status=417)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
    return None


async def nowhere(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    """What every address answers that is none of ours."""
    return web.Response(status=404)
