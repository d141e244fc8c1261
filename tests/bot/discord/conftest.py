"""A simulated Discord with our client in it: a server, a channel, two members, and a pool that a test drives."""

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import discord
import pytest
import simcord
from PIL import Image
from simcord.backend.models import Interaction
from simcord.interactions import base_payload

from bot.discord import attachments
from bot.discord.attachments import not_given
from bot.discord.chat_platform import DiscordPlatform
from bot.discord.client import LimnerClient
from bot.discord.routes import Routes
from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import ShownImage
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import Beat, Claim
from storage.queue.jobs import Done, Outcome
from storage.queue.reply_address import ReplyAddress
from tests.brushes import with_brushes
from tests.fakes import FakeClock, images_opened_here, png
from tests.wire.discord.specification import discords_own

FIFTEEN_MINUTES = 15 * 60 + 1
"""The life of an interaction's token in seconds, and one more."""


@dataclass(kw_only=True)
class World:
    """A simulated Discord with our client in it."""

    env: simcord.Env
    client: LimnerClient
    context: AppContext
    clock: FakeClock
    delivery: Delivery
    guild: simcord.GuildHandle
    channel: simcord.ChannelHandle
    ada: simcord.MemberActor
    admin: simcord.MemberActor
    expected_errors: int = 0

    def server(self, name: str) -> tuple[simcord.GuildHandle, simcord.ChannelHandle, simcord.MemberActor]:
        """Another server with a channel and a member, to which we are invited."""
        guild = self.env.create_guild(name=name)
        channel = guild.create_text_channel("general")
        return guild, channel, guild.add_member(self.env.create_user(f"member-of-{guild.id}"))

    async def claim(self) -> Claim:
        """Take the next job, as a worker does."""
        claim = await self.context.queue.claim("a worker")
        assert claim is not None
        return claim

    async def progress(self, claim: Claim, step: int, of: int = 20) -> None:
        """Report steps and show them."""
        await self.context.queue.heartbeat("a worker", [Beat(claim=claim, step=step, steps=of)])
        await self.show()

    async def show(self) -> None:
        """One round of progress."""
        with self.env.time_context():
            await self.delivery.show_progress()
        await self.env.settle()

    async def finish(self, claim: Claim, outcome: Outcome | None = None, *, nsfw: bool = False) -> None:
        """Record every image of the job and deliver it."""
        request = REQUEST.read(claim.job.payload)
        for index, image in enumerate(request.images()):
            data = png(image)
            new = NewImage(
                index=index, blob=await self.context.blobs.put(data), width=image.width, height=image.height,
                seed=image.seed, parameters="", nsfw=nsfw,
            )  # fmt: skip
            await self.context.queue.record_image(claim, new)
        await self.context.queue.settle(claim, outcome or Done(device_seconds=3.1))
        await self.deliver()

    async def deliver(self) -> None:
        """One round of delivery."""
        with self.env.time_context():
            await self.delivery.deliver_due()
        await self.env.settle()

    async def restart(self) -> None:
        """The process ends and another begins: nothing is left but what was stored."""
        self.client = LimnerClient(self.context, shard_count=1, download=self.client.handler.download)
        await self.env.restart_bot(self.client)
        self.delivery = _delivery(self.context, self.client, self.clock)

    def address(self, thread_id: str | None = None) -> ReplyAddress:
        """Where an answer to Ada goes that has no status message."""
        return ReplyAddress(
            platform=Platform.DISCORD, channel_id=str(self.channel.id), user_id=str(self.ada.id), thread_id=thread_id
        )

    @property
    def last(self) -> discord.Message:
        """The newest message in the channel."""
        message = self.channel.last_message
        assert message is not None
        return message


def _delivery(context: AppContext, client: LimnerClient, clock: FakeClock) -> Delivery:
    platform = DiscordPlatform(
        routes=Routes(client=client, live=client.live),
        inbox=client.inbox,
        outbox=context.outbox,
        images=images_opened_here(),
    )
    return Delivery(context=context, chat=platform, poster="a poster", clock=clock)


@asynccontextmanager
async def simulation(context: AppContext, clock: FakeClock) -> AsyncIterator[World]:
    """A Discord with one server, until the block ends; an error that the test did not expect fails it."""

    async def download(url: str) -> AsyncGenerator[bytes, None]:
        data = env.backend.cdn.get(url)
        if data is None:
            raise not_given()
        yield data

    client = LimnerClient(context, shard_count=1, download=download)
    client.live.clock = clock
    env = simcord.Env(client)
    guild = env.create_guild(name="Pixel People")
    channel = guild.create_text_channel("art")
    admins = guild.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    ada = guild.add_member(env.create_user("ada"))
    admin = guild.add_member(env.create_user("boss"), roles=[admins])
    await env.start()
    world = World(
        env=env, client=client, context=context, clock=clock, delivery=_delivery(context, client, clock),
        guild=guild, channel=channel, ada=ada, admin=admin,
    )  # fmt: skip
    yield world
    await env.shutdown()
    assert len(env.errors) == world.expected_errors, env.errors
    found = [_violation(call.method, call.path, json.dumps(call.json)) for call in env.http_requests]
    assert [violation for violation in found if violation] == []


@cache
def _violation(method: str, path: str, body: str) -> str | None:
    """What Discord's document finds wrong; asked once for the commands, which are the same in every world."""
    return discords_own().violation(method, path, json.loads(body))


@pytest.fixture
async def world(context: AppContext, clock: FakeClock) -> AsyncIterator[World]:
    async with simulation(context, clock) as world:
        yield world


@pytest.fixture
async def brush_world(context: AppContext, clock: FakeClock) -> AsyncIterator[World]:
    """A world with the commands of `tests.brushes`, which have two words and take files."""
    async with simulation(with_brushes(context), clock) as world:
        yield world


def published(world: World) -> list[dict[str, Any]]:
    """The commands that Discord was told of."""
    [put] = [call for call in world.env.http_requests if call.method == "PUT" and call.path.endswith("/commands")]
    assert isinstance(put.json, list)
    return put.json


def body(call: simcord.HttpLogEntry) -> dict[str, Any]:
    """What we sent to Discord in one request."""
    assert isinstance(call.json, dict)
    return call.json


def words(message: discord.Message | simcord.ResponseMessage) -> str:
    """All text of a message, whatever components hold it."""
    return "\n".join([message.content, *_texts(_components(message))])


def labels(message: discord.Message | simcord.ResponseMessage) -> list[str]:
    """The labels of a message's buttons, in order."""
    return [str(part["label"]) for part in _flat(_components(message)) if part.get("type") == 2]


def _components(message: discord.Message | simcord.ResponseMessage) -> list[Mapping[str, Any]]:
    return [part if isinstance(part, dict) else part.to_dict() for part in message.components]


def _flat(parts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for part in parts:
        found += [part, *_flat(part.get("components", ()))]
    return found


def _texts(parts: list[Mapping[str, Any]]) -> list[str]:
    return [str(part["content"]) for part in _flat(parts) if "content" in part]


@pytest.fixture
def simulated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files lie on the simulation's server instead of Discord's."""
    monkeypatch.setattr(attachments, "HOSTS", {"cdn.simcord.invalid"})


def calls(world: World, method: str, part: str) -> int:
    """How many requests with that method and part of a path reached Discord."""
    return sum(call.method == method and part in call.path for call in world.env.http_requests)


async def claimed(world: World, **values: str | int | bool) -> None:
    """Ada's /imagine, with its status message shown."""
    await world.ada.slash(world.channel, "imagine", **{"prompt": "red fox", **values})
    await world.show()


async def finished(world: World, **values: str | int | bool) -> discord.Message:
    """A finished image's message in the channel."""
    await world.ada.slash(world.channel, "imagine", **{"prompt": "red fox", **values})
    await world.finish(await world.claim())
    return world.last


async def interact(world: World, *, guild: bool, **changes: object) -> Interaction:
    """Ada's /imagine as Discord would send it, with `changes`."""
    backend = world.env.backend
    option = {"name": "prompt", "type": 3, "value": "fox", "focused": True}
    command = backend.commands[None]["imagine", 1]
    direct = backend.get_dm_channel(world.ada.id) if not guild else None
    record, payload = base_payload(
        backend, type=int(str(changes.get("type", 2))), user_id=world.ada.id,
        channel_id=world.channel.id if direct is None else direct.id,
        guild_id=world.guild.id if guild else None,
        data={"id": command["id"], "name": "imagine", "type": 1, "options": [option]},
    )  # fmt: skip
    with world.env.time_context():
        backend.emit("INTERACTION_CREATE", {**payload, **changes})
    await world.env.settle()
    return record


def plain_png(side: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


def shown_image(data: bytes | None = None, *, spoiler: bool = False) -> ShownImage:
    return ShownImage(data=data or gradient(16), file_name="fox.png", alt_text="a fox", spoiler=spoiler)


def gradient(side: int = 256) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(file, "PNG")
    return file.getvalue()
