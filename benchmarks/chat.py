"""Chats under load: 500 /imagine from 50 servers, 200 from 20 workspaces, in ten seconds, a pool that draws nothing.

    python -m benchmarks.chat [discord] [slack] [--seconds 10]

Discord is in memory, below discord.py's HTTP; Slack is the tests' fake on loopback, tiers included. Prints how long
each platform waited for its acknowledgements, and whether each result came, once.
"""

import argparse
import asyncio
import collections
import io
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import discord
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter, async_context
from PIL import Image

from bot.discord.chat_platform import DiscordPlatform
from bot.discord.client import LimnerClient
from bot.discord.routes import Routes
from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.jobs.payloads import REQUEST
from handlers.registry import COMMANDS, JOBS
from pipeline.families.family import ModelFamily
from pipeline.models.metadata import ModelFacts
from pipeline.requests.image_request import Scheduler
from storage.blobs import FileBlobStore
from storage.database import Database, migrate
from storage.encryption import Encryption
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.stage import oauth_settings, on_stage
from tests.wire.slack.workspace import Workspace, new_workspace

_PATIENCE_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFigures:
    """What one platform saw: `acked` are the seconds that it waited for each acknowledgement."""

    platform: str
    places: int
    calls: int
    acked: list[float]
    lost: int
    twice: int
    took: float
    notes: str = ""

    def __str__(self) -> str:
        waited = sorted(self.acked)
        middle, late, worst = (waited[int(len(waited) * part)] * 1000 for part in (0.5, 0.99, 1 - 1e-9))
        return (
            f"| {self.platform} | {self.calls} from {self.places} | {len(waited)} | {middle:.0f} ms | {late:.0f} ms "
            f"| {worst:.0f} ms | {self.lost} | {self.twice} | {self.took:.1f} s | {self.notes} |"
        )


HEADER: Final = (
    "| platform | /imagine | acknowledged | median | 99th percentile | worst | lost | twice | all there after | |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


async def evenly(calls: int, seconds: float, call: Callable[[int, float], Awaitable[None]]) -> None:
    """`calls` times `call(number, due)`, evenly over `seconds`; a loop that is late makes the platform wait."""

    async def in_time(number: int) -> None:
        due = begin + number * seconds / calls
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await call(number, due)

    begin = time.monotonic()
    await asyncio.gather(*(in_time(number) for number in range(calls)))


_FACTS = ModelFacts(
    name="pocket", family=ModelFamily.SDXL, width=128, height=128, steps=20, guidance_scale=5.0,
    scheduler=Scheduler.EULER, max_pixels=256 * 256, parameters=8_000_000, hash="0123456789",
)  # fmt: skip
_REST_SECONDS = 0.1
"""The seconds that a request to Discord takes."""


@dataclass(slots=True)
class DiscordWire:
    """Stands in for discord.py's HTTP: answers after a while, and records when."""

    asked_at: dict[str, float] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)
    results: collections.Counter[str] = field(default_factory=collections.Counter)

    async def request(self, route: Route, body: dict[str, Any]) -> object:
        """Answer like Discord where an answer is read."""
        token = str(route.url).split("/")[-2 if route.url.endswith("callback") else -3]
        if "/channels/" in route.url:  # members who waited long get a message of their own
            return {**_MESSAGE, "id": "3"}
        if route.url.endswith("callback"):
            self.waited.append(time.monotonic() - self.asked_at[token])
            await asyncio.sleep(_REST_SECONDS)
            return {"interaction": {"id": "1", "type": 2, "response_message_id": token}, "resource": None}
        if body.get("attachments"):
            self.results[token] += 1
        await asyncio.sleep(_REST_SECONDS)
        return {**_MESSAGE, "id": token}


_MESSAGE: dict[str, Any] = {
    "channel_id": "1", "author": {"id": "2", "username": "limner", "discriminator": "0", "avatar": None},
    "content": "", "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False,
    "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
    "pinned": False, "type": 0, "components": [],
}  # fmt: skip


class _BotWire(HTTPClient):
    def __init__(self, wire: DiscordWire) -> None:
        super().__init__(asyncio.get_running_loop())
        self._wire = wire

    async def request(self, route: Route, *, files: Any = None, form: Any = None, **given: Any) -> Any:  # noqa: ARG002 - discord.py's signature
        return await self._wire.request(route, given.get("json") or {})


class _WebhookWire(AsyncWebhookAdapter):
    def __init__(self, wire: DiscordWire) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # discord.py's own
        self._wire = wire

    async def request(self, route: Any, session: Any, **given: Any) -> Any:  # noqa: ARG002 - discord.py's signature
        form = {part["name"]: part["value"] for part in given.get("multipart") or ()}
        body = json.loads(form["payload_json"]) if "payload_json" in form else given.get("payload") or {}
        return await self._wire.request(route, body)


def _interaction(client: LimnerClient, number: int, servers: int) -> discord.Interaction[Any]:
    now = discord.utils.time_snowflake(discord.utils.utcnow()) + number
    server = 1000 + number % servers
    user = {"id": str(5000 + number % 200), "username": f"member{number % 200}", "discriminator": "0", "avatar": None}
    everything = str(discord.Permissions.all().value)
    member = {
        "user": user, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False,
        "permissions": everything, "flags": 0,
    }  # fmt: skip
    channel = {"id": str(server * 10), "type": 0, "name": "art", "position": 0}
    options = [{"name": "prompt", "type": 3, "value": f"fox number {number}"}]
    payload: Any = {
        "id": str(now), "application_id": "1", "type": 2, "token": str(now), "version": 1, "guild_id": str(server),
        "channel_id": str(server * 10), "channel": channel, "member": member,
        "data": {"id": "9", "name": "imagine", "type": 1, "options": options}, "app_permissions": everything,
        "locale": "en-US", "entitlements": [], "context": 0, "authorizing_integration_owners": {"0": str(server)},
        "attachment_size_limit": 10 * 2**20,
    }  # fmt: skip
    return discord.Interaction(data=payload, state=client._connection)  # noqa: SLF001 - as discord.py's gateway makes it


async def _draw(queue: JobQueue, blobs: FileBlobStore, done: asyncio.Event) -> None:
    """A pool that draws nothing: one image for all jobs."""
    file = io.BytesIO()
    Image.new("RGB", (128, 128)).save(file, "PNG")
    blob = await blobs.put(file.getvalue())
    while not done.is_set():
        claim = await queue.claim("benchmark")
        if claim is None:
            await asyncio.sleep(0.05)
            continue
        request = REQUEST.read(claim.job.payload)
        image = NewImage(index=0, blob=blob, width=128, height=128, seed=request.seed, parameters="")
        await queue.record_image(claim, image)
        await queue.settle(claim, Done(device_seconds=0.1))


async def measure_discord(servers: int, calls: int, seconds: float) -> ChatFigures:
    """Interactions as discord.py's gateway hands them on."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        context, database, blobs = await _app_context(folder)
        stack.push_async_callback(database.close)
        client, wire = await _client(context), DiscordWire()
        client.http = client._connection.http = _BotWire(wire)  # noqa: SLF001 - instead of a login
        async_context.set(_WebhookWire(wire))
        platform = DiscordPlatform(
            routes=Routes(client=client, live=client.live), inbox=client.inbox, outbox=context.outbox
        )
        delivery, done = Delivery(context=context, chat=platform, poster="benchmark"), asyncio.Event()
        beside = [asyncio.create_task(delivery.run(done)), asyncio.create_task(_draw(context.queue, blobs, done))]

        async def ask(number: int, due: float) -> None:
            interaction = _interaction(client, number, servers)
            wire.asked_at[interaction.token] = due
            await client.tree._call(interaction)  # noqa: SLF001 - as discord.py's gateway does

        begin = time.monotonic()
        await evenly(calls, seconds, ask)
        while await context.outbox.unsettled(Platform.DISCORD):  # noqa: ASYNC110 - the delivery loop runs beside
            await asyncio.sleep(0.1)
        took = time.monotonic() - begin
        done.set()
        await asyncio.gather(*beside)
    twice = sum(count > 1 for count in wire.results.values())
    return ChatFigures(
        platform="Discord", places=servers, calls=calls, acked=wire.waited, lost=calls - len(wire.results),
        twice=twice, took=took,
    )  # fmt: skip


async def _app_context(folder: Path) -> tuple[AppContext, Database, FileBlobStore]:
    url = f"sqlite:///{folder / 'limner.db'}"
    await migrate(url)
    database, blobs = await Database.open(url), FileBlobStore(folder / "blobs")
    context = AppContext.over(
        database, blobs=blobs, seal=Encryption.from_file(folder), models=(_FACTS,), commands=COMMANDS, jobs=JOBS
    )
    return replace(context, new_seed=lambda: 7), database, blobs


async def _client(context: AppContext) -> LimnerClient:
    """A client as it is after a login, without Discord."""
    client = LimnerClient(context, shard_count=1)
    await client._async_setup_hook()  # noqa: SLF001 - what a login does
    me: Any = {"id": "2", "username": "limner", "discriminator": "0", "avatar": None, "bot": True}
    client._connection.user = discord.ClientUser(state=client._connection, data=me)  # noqa: SLF001 - as a login does
    return client


async def measure_slack(workspaces: int, calls: int, seconds: float) -> ChatFigures:
    """Signed requests to the whole of Limner's Slack side, installed by OAuth in every workspace."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        empty, data = folder / "empty.db", folder / "data"
        data.mkdir()
        await migrate(f"sqlite:///{empty}")
        slack = await stack.enter_async_context(FakeSlack().running())
        stage = await stack.enter_async_context(on_stage(slack, oauth_settings(slack, data), empty))
        people = []
        for number in range(workspaces):
            workspace = slack.add(new_workspace(number + 1))
            await install(slack, stage.url, workspace)
            people.append(stage.someone(workspace))
        acked: list[float] = []

        async def ask(number: int, due: float) -> None:
            await people[number % workspaces].command("/imagine", f"fox {number}")
            acked.append(time.monotonic() - due)

        begin = time.monotonic()
        await evenly(calls, seconds, ask)
        async with asyncio.timeout(_PATIENCE_SECONDS), slack.changed:
            await slack.changed.wait_for(lambda: sum(map(_finished, slack.workspaces.values())) >= calls)
        took = time.monotonic() - begin
    finished = sum(map(_finished, slack.workspaces.values()))
    return ChatFigures(
        platform="Slack", places=workspaces, calls=calls, acked=acked, lost=max(0, calls - finished),
        twice=max(0, finished - calls), took=took,
        notes=f"tiers exceeded {slack.rate_limits.refused}, judged wrong {len(slack.violations)}",
    )  # fmt: skip


def _finished(workspace: Workspace) -> int:
    return sum(bool(message.images) for message in workspace.in_channel("CGEN"))


async def main(platforms: list[str], seconds: float) -> None:
    """Run them in turn and print the table."""
    print(HEADER)
    if "discord" in platforms:
        print(await measure_discord(50, 500, seconds))
    if "slack" in platforms:
        print(await measure_slack(20, 200, seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("platforms", nargs="*", default=["discord", "slack"])
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    asyncio.run(main(given.platforms, given.seconds))
