"""How long a member waits for an acknowledgement: `python -m benchmarks.acknowledgements` prints a table.

    python -m benchmarks.acknowledgements [--commands 500] [--seconds 10] [--database SQLite|PostgreSQL]

A real process serves the tests' fake of a platform on loopback, on the same machine, and its device draws all the
while. Fifty members of ten servers or workspaces send so many commands, evenly over so many seconds; each is stored
before it is acknowledged, on both databases unless one is named. Must: 99 of 100 are acknowledged within a second;
Discord and Slack allow three.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from benchmarks.chaos_postgres import new_database, postgres
from tests.wire.discord.fake_discord import FakeDiscord
from tests.wire.discord.people import new_person, new_server
from tests.wire.slack.doors import SignedRequests
from tests.wire.slack.fake_slack import SIGNING_SECRET, FakeSlack
from tests.wire.slack.people import Someone
from tests.wire.slack.process import Served, serving
from tests.wire.slack.workspace import Person as Member
from tests.wire.slack.workspace import new_workspace

MOST_SECONDS: Final = 1.0
_GUILDS: Final = 10
_MEMBERS: Final = 50
_PATIENCE: Final = 30.0
DATABASES: Final = ("SQLite", "PostgreSQL")

HEADER: Final = (
    "| platform | database | commands | median | p99 | longest | never | must | holds |\n"
    "|---|---|---|---|---|---|---|---|---|"
)

Send = Callable[[int], Coroutine[Any, Any, float]]
"""Sends the command of that number, and returns after how many seconds it was acknowledged."""


@dataclass(slots=True)
class TimedDiscord(FakeDiscord):
    """A Discord that knows when each interaction was acknowledged."""

    heard: dict[str, asyncio.Future[float]] = field(default_factory=dict)

    async def _api(self, request: web.Request) -> web.Response:
        parts = request.path.split("/")
        if parts[-1] == "callback" and (waiting := self.heard.pop(parts[-3], None)) is not None:
            waiting.set_result(time.monotonic())
        return await FakeDiscord._api(self, request)  # noqa: SLF001 - slots leave no other way to the base's


def row(platform: str, database: str, waits: Sequence[float], commands: int) -> str:
    """The line of the table."""
    p99 = statistics.quantiles(waits, n=100, method="inclusive")[-1]
    never = commands - len(waits)
    held = not never and p99 < MOST_SECONDS
    return (
        f"| {platform} | {database} | {commands} | {statistics.median(waits) * 1000:.0f} ms | {p99 * 1000:.0f} ms "
        f"| {max(waits) * 1000:.0f} ms | {never} | < {MOST_SECONDS * 1000:.0f} ms | {'yes' if held else 'no'} |"
    )


async def send_evenly(send: Send, commands: int, seconds: float) -> list[float]:
    """Send them, and return the waits of those that were acknowledged."""
    waiting: list[asyncio.Task[float]] = []
    for number in range(commands):
        waiting.append(asyncio.create_task(send(number)))
        await asyncio.sleep(seconds / commands)
    done, late = await asyncio.wait(waiting, timeout=_PATIENCE)
    for task in late:
        task.cancel()
    return [task.result() for task in done if task.exception() is None]


async def on_discord(folder: Path, settings: Mapping[str, str], commands: int, seconds: float) -> list[float]:
    """The waits on Discord."""
    discord = TimedDiscord(judges=False)
    async with discord.running():
        servers = [new_server(discord, f"server {number}") for number in range(_GUILDS)]
        people = [new_person(servers[number % _GUILDS], f"member-{number}") for number in range(_MEMBERS)]

        async def send(number: int) -> float:
            begin = time.monotonic()
            sent = people[number % _MEMBERS].slash("imagine", prompt=f"fox {number}", steps=4)
            acknowledged: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            discord.heard[str(sent.id)] = acknowledged
            return await acknowledged - begin

        async with serving(folder, **settings, **discord.environment) as served:
            return await _served(served, send, commands, seconds)


async def on_slack(folder: Path, settings: Mapping[str, str], commands: int, seconds: float) -> list[float]:
    """The waits on Slack, over HTTP."""
    async with FakeSlack().running() as slack:
        workspace = slack.add(new_workspace())
        for number in range(_MEMBERS):
            workspace.people[f"U{number}"] = Member(id=f"U{number}", name=f"member-{number}")
        one_workspace = {
            "SLACK_API_BASE": slack.api_base,
            "SLACK_BOT_TOKEN": workspace.token,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }
        async with serving(folder, **settings, **one_workspace) as served:
            door = SignedRequests(url=f"{served.url}/slack/events")
            people = [Someone(slack=slack, workspace=workspace, door=door, id=id_) for id_ in workspace.people]

            async def send(number: int) -> float:
                acked = await people[number % len(people)].command("/imagine", f"fox {number} --steps 4")
                return acked.seconds

            return await _served(served, send, commands, seconds)


async def _served(served: Served, send: Send, commands: int, seconds: float) -> list[float]:
    await served.ready()
    await send_evenly(send, 20, 4.0)  # what is met for the first time costs more
    return await send_evenly(send, commands, seconds)


async def main(databases: Sequence[str], commands: int, seconds: float) -> None:
    """Measure both platforms on each of `databases` and print the table."""
    print(HEADER, flush=True)
    with ExitStack() as stack:
        server = stack.enter_context(postgres()) if "PostgreSQL" in databases else ""
        for database in databases:
            for name, measure in (("Discord", on_discord), ("Slack", on_slack)):
                settings = {}
                if database == "PostgreSQL":
                    settings["LIMNER_DATABASE"] = await new_database(server, uuid.uuid4().hex)
                with tempfile.TemporaryDirectory() as folder:
                    waits = await measure(Path(folder), settings, commands, seconds)
                print(row(name, database, waits, commands), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--database", choices=DATABASES, help="both unless it is given")
    given = parser.parse_args()
    asyncio.run(main((given.database,) if given.database else DATABASES, given.commands, given.seconds))
