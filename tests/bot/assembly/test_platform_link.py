"""A platform is joined again and again; its trouble has a sentence, and a refused login ends the trying."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from bot.assembly.platform_link import Joined, LoginRefused, PlatformLink
from bot.assembly.runtime import Runtime
from pipeline.errors import UserError
from pipeline.supervisor import Supervisor
from tests.eventually import eventually
from tests.fakes import FakeChat


async def _answer(request: web.Request) -> web.Response:
    return web.Response(text=f"heard {await request.text()}")


@dataclass(slots=True)
class Platform:
    """A platform that raises its `troubles` one after the other, then lets us in; it may not be left easily."""

    troubles: list[Exception] = field(default_factory=list)
    at_the_end: Exception | None = None
    tries: int = 0
    has_left: bool = False

    @asynccontextmanager
    async def join(self, _runtime: Runtime) -> AsyncIterator[Joined]:
        self.tries += 1
        if self.troubles:
            raise self.troubles.pop(0)
        yield Joined(chat=FakeChat(), check=self._check, routes=(web.post("/events", _answer),))
        self.has_left = True
        if self.at_the_end is not None:
            raise self.at_the_end

    async def _check(self) -> str | None:
        return "a shard is closed"


@pytest.fixture
def runtime() -> Runtime:
    # Only the supervisor is asked for.
    return cast("Runtime", SimpleNamespace(supervisor=Supervisor(first_pause=0.001)))


async def test_a_platform_is_joined_when_its_trouble_has_passed(runtime: Runtime) -> None:
    """However often it takes; then it speaks for itself, and it is left at the end."""
    platform = Platform([UserError("It cannot be reached."), RuntimeError("odd"), UserError("It cannot be reached.")])
    link = PlatformLink(name="Discord", join=platform.join)
    assert await link.check() == "still connecting"

    async with link.running(runtime):
        await link.settled()
        assert await link.check() == "a shard is closed"
        assert not platform.has_left

    assert platform.tries == 4
    assert platform.has_left


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (UserError("It cannot be reached."), "It cannot be reached."),
        (RuntimeError("odd"), "it cannot be joined; the log"),
    ],
)
async def test_what_keeps_it_away_is_told(runtime: Runtime, trouble: Exception, words: str) -> None:
    """In its sentence where it has one; leaving does not wait for it."""
    platform = Platform([trouble] * 100_000)
    link = PlatformLink(name="Slack", join=platform.join)
    async with link.running(runtime):

        async def tried() -> bool:
            return platform.tries > 2

        await eventually(tried)
        assert words in str(await link.check())

    assert not link.joined.done()


async def test_a_refused_login_is_not_tried_again(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once in the log, and for as long as the process lives at /readyz."""
    platform = Platform([LoginRefused("The token was refused.")])
    link = PlatformLink(name="Discord", join=platform.join)
    async with link.running(runtime):
        await link.settled()

        assert link.refused.is_set()
        assert await link.check() == "The token was refused."

    assert platform.tries == 1
    assert [record.getMessage() for record in caplog.records] == ["The token was refused."]


async def test_a_platform_that_is_left_in_disorder_stops_nobody(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """The process ends all the same, and the log says why."""
    platform = Platform(at_the_end=RuntimeError("odd"))
    link = PlatformLink(name="Slack", join=platform.join)
    async with asyncio.timeout(60), link.running(runtime):
        await link.settled()

    assert "Slack could not be left in good order" in caplog.text


async def test_a_route_is_there_before_its_platform(runtime: Runtime) -> None:
    """It asks for patience until then, and when the platform has been left."""
    link = PlatformLink(name="Slack", join=Platform().join)
    app = web.Application()
    app.add_routes([link.route("POST", "/events")])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"

    async def ask() -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.post(url, data="a fox") as answer:
            return answer.status, (await answer.text()).strip()

    absent = (503, "Limner is not connected to Slack; try again in a minute.")
    assert await ask() == absent
    async with link.running(runtime):
        await link.settled()
        assert await ask() == (200, "heard a fox")
    assert await ask() == absent
    await runner.cleanup()
