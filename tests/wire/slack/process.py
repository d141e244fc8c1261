"""`limner` as its own process, connected to a fake Slack."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.eventually import eventually
from tests.journeys.terminal import children, kill, start
from tests.wire.slack.fake_slack import APP_TOKEN, CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET, FakeSlack

_START_SECONDS = 120.0
_LISTENING = "health on "


def socket_environment(slack: FakeSlack) -> dict[str, str]:
    """One workspace over Socket Mode."""
    (workspace,) = slack.workspaces.values()
    return {"SLACK_API_BASE": slack.api_base, "SLACK_BOT_TOKEN": workspace.token, "SLACK_APP_TOKEN": APP_TOKEN}


def oauth_environment(slack: FakeSlack) -> dict[str, str]:
    """Many workspaces over signed requests."""
    return {
        "SLACK_API_BASE": slack.api_base, "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "SLACK_CLIENT_ID": CLIENT_ID, "SLACK_CLIENT_SECRET": CLIENT_SECRET,
    }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Served:
    """A running `limner serve`: its process and what it logged; `spoke` is set when it listens or ends."""

    process: asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)
    spoke: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its own address, from the line that names it."""
        line = next((line for line in self.log if _LISTENING in line), None)
        assert line is not None, "\n".join(self.log)
        return str(json.loads(line)["event"]).split(_LISTENING)[1].removesuffix("/readyz")

    async def ready(self) -> None:
        """Wait until members are heard and the device has loaded."""

        async def look() -> bool:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as response:
                return response.status == 200

        await eventually(look)

    async def cut_power(self) -> None:
        """End it as a power cut would."""
        kill(self.process.pid)
        await self.process.wait()

    async def read_log(self) -> None:
        """Take in every line."""
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.log.append(line.rstrip())
            if _LISTENING in line:
                self.spoke.set()
        self.spoke.set()


@asynccontextmanager
async def serving(data: Path, **environment: str) -> AsyncIterator[Served]:
    """`limner serve`, from when its port is open until the block ends; then it is stopped softly."""
    served = Served(process=await start(("serve",), data, **environment))
    process = served.process
    reading = asyncio.create_task(served.read_log())
    try:
        await asyncio.wait_for(served.spoke.wait(), _START_SECONDS)
        assert served.url
        yield served
        if process.returncode is None:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), _START_SECONDS) == 0, "\n".join(served.log)
    finally:
        if process.returncode is None:
            for child in children(process):
                child.kill()
            process.kill()
            await process.wait()
        await reading
