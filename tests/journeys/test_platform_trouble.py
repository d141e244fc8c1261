"""`limner serve` between a Slack and a Discord that are not well: neither stops the other, and each comes back."""

from pathlib import Path

import aiohttp
import pytest

from tests.eventually import eventually
from tests.journeys.terminal import run
from tests.wire.discord.fake_discord import FakeDiscord, Fault
from tests.wire.discord.people import new_person, new_server
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import finished
from tests.wire.slack.people import Someone
from tests.wire.slack.process import Served, serving, socket_environment
from tests.wire.slack.workspace import new_workspace

pytestmark = pytest.mark.timeout(600)

_RENDER_SECONDS = 240.0
_FAST = {"steps": 2, "seed": 7}


async def _missing(served: Served) -> dict[str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/readyz") as answer:
        missing: dict[str, str] = (await answer.json())["missing"]
        return missing


async def _says(served: Served, name: str, words: str) -> None:
    async def look() -> bool:
        return words in (await _missing(served)).get(name, "")

    await eventually(look)


async def test_one_platforms_trouble_stops_no_other(tmp_path: Path) -> None:
    """Discord is down, Slack serves; Discord is back and refuses the commands, its members are heard all the same.

    Another process that is given the same port ends with a sentence and has joined nothing.
    """
    async with FakeSlack().running() as slack, FakeDiscord().running() as discord:
        ada = Someone(slack=slack, workspace=slack.add(new_workspace()), door=slack.sockets)
        bob = new_person(new_server(discord, "Pixel People"), "bob")
        down = Fault(method="GET", path="/users/@me", status=503, times=10**6)
        # It takes effect, so that there are commands of before to type.
        put = "/applications/*/commands"
        refused = Fault(method="PUT", path=put, status=400, code=30034, times=10**6, takes_effect=True)
        discord.faults += [down, refused]
        environment = {**socket_environment(slack), **discord.environment}
        async with serving(tmp_path, **environment) as served:
            await ada.command("/imagine", "red fox --steps 2")
            await ada.sees(finished, _RENDER_SECONDS)
            await _says(served, "discord", "Discord cannot be reached")

            down.times = 0
            await _says(served, "discord", "Discord takes no more commands of this bot today")
            bob.slash("imagine", prompt="blue owl", **_FAST)
            await bob.server.images(1)
            assert "slack" not in await _missing(served)

            identified = discord.gateway.identified
            port = served.url.rpartition(":")[2]
            code, _, complaint = await run("serve", data=tmp_path / "other", **environment, LIMNER_PORT=port)
            assert code == 1
            assert f"Port {port} is in use" in complaint
            assert "Traceback" not in complaint
            assert discord.gateway.identified == identified

        assert not [line for line in served.log if "Traceback" in line], served.log
        assert len([line for line in served.log if "Discord cannot be reached" in line]) == 1
