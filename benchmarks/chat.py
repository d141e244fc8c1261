"""Many servers at once: 500 /imagine from 50 servers in ten seconds, a Discord in memory, a pool that draws nothing.

    python -m benchmarks.chat [--servers 50] [--calls 500] [--seconds 10]

Prints how long Discord waited for each acknowledgement, and whether each result came, once.
"""

import argparse
import asyncio
import collections
import io
import json
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import discord
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter, async_context
from PIL import Image

from bot.discord.chat_platform import DiscordPlatform
from bot.discord.client import LimnerClient
from bot.discord.ways import Ways
from handlers.commands import COMMANDS
from handlers.delivery import Delivery
from handlers.imagine import read_request
from handlers.studio import Studio
from pipeline.image_request import Scheduler
from pipeline.model_facts import ModelFacts, ModelFamily
from storage.blobs import FileBlobStore
from storage.database import Database, migrate
from storage.guilds import Platform
from storage.job_queue import JobQueue
from storage.jobs import Done
from storage.pictures import NewPicture

_FACTS = ModelFacts(
    name="pocket", family=ModelFamily.SDXL, width=128, height=128, steps=20, guidance_scale=5.0,
    scheduler=Scheduler.EULER, max_pixels=256 * 256, parameters=8_000_000, hash="0123456789",
)  # fmt: skip
_REST_SECONDS = 0.1
"""What a request to Discord takes."""


@dataclass(slots=True)
class Wire:
    """Stands where discord.py's HTTP would be: answers after a while, and notes when."""

    asked_at: dict[str, float] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)
    results: collections.Counter[str] = field(default_factory=collections.Counter)

    async def request(self, route: Route, body: dict[str, Any]) -> object:
        """Answer like Discord where an answer is read."""
        token = str(route.url).split("/")[-2 if route.url.endswith("callback") else -3]
        if route.url.endswith("callback"):
            self.waited.append(time.perf_counter() - self.asked_at[token])
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
    def __init__(self, wire: Wire) -> None:
        super().__init__(asyncio.get_running_loop())
        self._wire = wire

    async def request(self, route: Route, *, files: Any = None, form: Any = None, **given: Any) -> Any:  # noqa: ARG002 - discord.py's signature
        return await self._wire.request(route, given.get("json") or {})


class _WebhookWire(AsyncWebhookAdapter):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
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
    """A pool that draws nothing: one picture for all."""
    file = io.BytesIO()
    Image.new("RGB", (128, 128)).save(file, "PNG")
    blob = await blobs.put(file.getvalue())
    while not done.is_set():
        claim = await queue.claim("benchmark")
        if claim is None:
            await asyncio.sleep(0.05)
            continue
        request = read_request(claim.job.payload)
        picture = NewPicture(index=0, blob=blob, width=128, height=128, seed=request.seed, parameters="")
        await queue.record_picture(claim, picture)
        await queue.settle(claim, Done(device_seconds=0.1))


async def _ask(client: LimnerClient, wire: Wire, calls: int, seconds: float, servers: int) -> None:
    """`calls` interactions, evenly over `seconds`, each handled as discord.py does."""
    running = []
    begin = time.perf_counter()
    for number in range(calls):
        await asyncio.sleep(max(0.0, begin + number * seconds / calls - time.perf_counter()))
        interaction = _interaction(client, number, servers)
        # Counted from when it was due: a loop that is late has made Discord wait.
        wire.asked_at[interaction.token] = begin + number * seconds / calls
        running.append(asyncio.create_task(client.tree._call(interaction)))  # noqa: SLF001 - as discord.py's gateway does
    await asyncio.gather(*running)


async def _all_delivered(studio: Studio) -> None:
    while await studio.outbox.unsettled(Platform.DISCORD):  # noqa: ASYNC110 - the delivery loop runs beside
        await asyncio.sleep(0.1)


async def measure(servers: int, calls: int, seconds: float) -> None:
    """Run it and print the figures."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'limner.db'}"
        await migrate(url)
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        blobs = FileBlobStore(folder / "blobs")
        studio = Studio.over(database, blobs=blobs, models=(_FACTS,), commands=COMMANDS)
        studio = replace(studio, new_seed=lambda: 7)
        client, wire = LimnerClient(studio, shard_count=1), Wire()
        await client._async_setup_hook()  # noqa: SLF001 - what a login does, without Discord
        client.http = client._connection.http = _BotWire(wire)  # noqa: SLF001 - instead of a login
        me: Any = {"id": "2", "username": "limner", "discriminator": "0", "avatar": None, "bot": True}
        client._connection.user = discord.ClientUser(state=client._connection, data=me)  # noqa: SLF001 - as a login does
        async_context.set(_WebhookWire(wire))
        delivery = Delivery(
            studio=studio, chat=DiscordPlatform(ways=Ways(client=client, live=client.live)), poster="benchmark"
        )
        done = asyncio.Event()
        beside = [asyncio.create_task(delivery.run(done)), asyncio.create_task(_draw(studio.queue, blobs, done))]
        begin = time.perf_counter()
        await _ask(client, wire, calls, seconds, servers)
        await _all_delivered(studio)
        total = time.perf_counter() - begin
        done.set()
        await asyncio.gather(*beside)
    waited = sorted(wire.waited)
    print(f"{calls} /imagine from {servers} servers in {seconds:g} s; all delivered after {total:.1f} s")
    print(f"acknowledged: {len(waited)}; p50 {waited[len(waited) // 2] * 1000:.0f} ms, "
          f"p99 {waited[int(len(waited) * 0.99)] * 1000:.0f} ms, worst {waited[-1] * 1000:.0f} ms")  # fmt: skip
    print(f"results: {len(wire.results)} of {calls}; lost {calls - len(wire.results)}, "
          f"twice {sum(count > 1 for count in wire.results.values())}")  # fmt: skip


def main() -> None:
    """Read the sizes from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    asyncio.run(measure(given.servers, given.calls, given.seconds))


if __name__ == "__main__":
    main()
