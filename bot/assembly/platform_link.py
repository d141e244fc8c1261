"""One chat platform's way in: tried until it succeeds, whatever happens to the others."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from bot.assembly.http_edge import refuse_expectation
from bot.assembly.readiness import Check
from bot.assembly.runtime import Runtime
from handlers.messages.chat_platform import ChatPlatform
from pipeline.errors import UserError

_log = logging.getLogger(__name__)


class LoginRefused(UserError):
    """The platform refuses what the settings hold: no further try can succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A platform whose members are heard: how results are delivered, what is missing now, and what HTTP it answers."""

    chat: ChatPlatform
    check: Check
    routes: tuple[web.RouteDef, ...] = ()


Join = Callable[[Runtime], AbstractAsyncContextManager[Joined]]
"""Joins the platform and leaves it at the end of the block; raises LoginRefused, or what may pass."""


@dataclass(slots=True, kw_only=True, eq=False)
class PlatformLink:
    """Joins the platform called `name`; `joined` is set once it succeeded, `refused` when it never can."""

    name: str
    join: Join
    joined: asyncio.Future[Joined] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: str = "still connecting"
    _leave: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self, runtime: Runtime) -> AsyncIterator[None]:
        """Join until it succeeds, stay until the block ends, then leave."""
        staying = runtime.supervisor.start(f"joining {self.name}", partial(self._stay, runtime))
        try:
            yield
        finally:
            self._leave.set()
            if not self.joined.done():
                staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until the platform is joined or refuses us."""
        waits = asyncio.ensure_future(self.joined), asyncio.create_task(self.refused.wait())
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits[1].cancel()

    async def check(self) -> str | None:
        """What is missing before members are heard there."""
        return await self.joined.result().check() if self.joined.done() else self.trouble

    def route(self, method: str, path: str) -> web.RouteDef:
        """A route that is there before the platform is joined, and says so until then."""

        async def handle(request: web.Request) -> web.StreamResponse:
            routes = self.joined.result().routes if self.joined.done() and not self._leave.is_set() else ()
            found = next((route for route in routes if route.path == path), None)
            if found is None:
                return web.Response(
                    status=503, text=f"Limner is not connected to {self.name}; try again in a minute.\n"
                )
            answer: web.StreamResponse = await found.handler(request)
            return answer

        return web.route(method, path, handle, expect_handler=refuse_expectation)

    async def _stay(self, runtime: Runtime) -> None:
        try:
            async with self.join(runtime) as joined:
                self.joined.set_result(joined)
                _log.info("%s is joined", self.name)
                await self._leave.wait()
        except LoginRefused as refusal:
            self.trouble = str(refusal)
            self.refused.set()
            _log.error("%s", refusal)
        except Exception as error:
            if self._leave.is_set():
                _log.exception("%s could not be left in good order", self.name)
                return
            self.trouble = str(error) if isinstance(error, UserError) else "it cannot be joined; the log says why"
            raise
