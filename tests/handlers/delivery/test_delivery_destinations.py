"""Each destination has an order of its own, and one that is slow or fails holds back no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import exists, select

from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.jobs.payloads import REQUEST
from handlers.messages.chat_platform import TryLater
from handlers.messages.message import Message
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.job_queue import Beat
from storage.queue.jobs import JobKind, NewJob
from storage.queue.outbox import Outbox, Reply
from storage.queue.reply_address import ReplyAddress
from storage.tables import replies
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, request
from tests.handlers.delivery.finishing import finish


@dataclass(slots=True)
class Hanging(FakeChat):
    """A chat where whatever goes to the channel "slow" waits until a test opens it."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if address.channel_id == "slow":
                await self.open.wait()
            return await FakeChat.deliver(self, address, message, nonce)
        finally:
            self.at_once -= 1

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        if address.channel_id == "slow":
            await self.open.wait()
        self.progress.append(message)

    @property
    def channels(self) -> list[str]:
        return [address.channel_id for address, _ in self.delivered]


@asynccontextmanager
async def _running(delivery: Delivery) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(delivery.run(stop))
    yield
    stop.set()
    await running


async def test_one_slow_destination_delays_only_itself(
    context: AppContext, guild: Guild, call: CallCommand, clock: FakeClock
) -> None:
    """Twenty others have their images meanwhile; what waits behind the slow one comes after it, in its order."""
    chat = Hanging()
    for prompt in ("first", "second"):
        await call("imagine", prompt=prompt, channel="slow")
        await finish(context, guild)
    for number in range(20):
        await call("imagine", prompt="fox", channel=f"quick-{number}")
        await finish(context, guild)

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock)):
        quick = await eventually(lambda: _channels(chat, 20))
        assert sorted(quick) == sorted(f"quick-{number}" for number in range(20))
        chat.open.set()
        await eventually(lambda: _channels(chat, 22))

    assert [message.headline for _, message in chat.delivered[-2:]] == ["first", "second"]


async def _channels(chat: Hanging, count: int) -> list[str] | None:
    return chat.channels if len(chat.delivered) == count else None


async def test_a_guild_whose_channels_all_hang_leaves_room_for_others(
    context: AppContext, guild: Guild, call: CallCommand, clock: FakeClock
) -> None:
    """However many of its messages wait, few are under way, and few images in memory."""
    chat = Hanging()
    chat.open.clear()
    elsewhere = await context.guilds.ensure(Platform.TERMINAL, "guild-2", "Elsewhere")
    for number in range(30):
        await _finished_for(context, guild, "slow", thread=f"t{number}")
    await _finished_for(context, elsewhere, "quick")

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock)):
        assert await eventually(lambda: _channels(chat, 1)) == ["quick"]
        assert chat.at_once == 4
        chat.open.set()
        await eventually(lambda: _channels(chat, 31))
    assert chat.most_at_once <= 5


async def test_no_more_than_a_bound_is_under_way(context: AppContext, clock: FakeClock) -> None:
    """Forty guilds hang: their images are read when it is their turn."""
    chat = Hanging()
    for number in range(40):
        each = await context.guilds.ensure(Platform.TERMINAL, f"many-{number}", "Many")
        await _finished_for(context, each, "slow")

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock)):
        await eventually(lambda: _under_way(chat, 24))
        chat.open.set()
        await eventually(lambda: _channels(chat, 40))
    assert chat.most_at_once == 24


async def _under_way(chat: Hanging, count: int) -> bool:
    return chat.at_once == count


async def _finished_for(context: AppContext, guild: Guild, channel: str, thread: str | None = None) -> None:
    """A cancelled job, whose reply is owed to that place."""
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id=channel, user_id="ada", thread_id=thread)
    job = await context.queue.enqueue(
        NewJob(
            guild_id=guild.id, member_id="ada", member_name="Ada", kind=JobKind.IMAGINE,
            payload=REQUEST.write(request()), reply=reply, cost_key="k", cost_units=1,
        )
    )  # fmt: skip
    await context.queue.cancel(guild.id, job.id)


async def test_a_destination_that_asks_to_wait_is_left_alone_until_then(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """Also with what else is due there, which comes in its order afterwards."""
    for prompt in ("one", "two", "three"):
        await call("imagine", prompt=prompt)
        await finish(context, guild)
    chat.troubles = [TryLater(30, "rate limited"), RuntimeError("asked again too soon")]

    await delivery.deliver_due()
    clock.advance(29)
    await delivery.deliver_due()
    assert chat.delivered == []
    chat.troubles = []
    clock.advance(2)
    await delivery.deliver_due()

    assert [message.headline for _, message in chat.delivered] == ["one", "two", "three"]


async def test_what_takes_longer_than_a_lease_is_posted_by_nobody_else(
    context: AppContext, guild: Guild, call: CallCommand, clock: FakeClock
) -> None:
    """Its lease is renewed for as long as it is under way."""
    chat, other = Hanging(), FakeChat()
    await call("imagine", prompt="fox", channel="slow")
    await finish(context, guild)

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock)):
        await eventually(lambda: _under_way(chat, 1))
        for _ in range(10):
            clock.advance(25)
            await eventually(lambda: _leased_until(context, clock.now + 50))
            assert await Delivery(context=context, chat=other, poster="another", clock=clock).deliver_due() == 0
        chat.open.set()
        await eventually(lambda: _channels(chat, 1))
    assert other.delivered == []


async def _leased_until(context: AppContext, at: float) -> bool:
    """Whether no reply is due before then."""
    async with context.outbox._database.read() as connection:
        return not await connection.scalar(select(exists().where(replies.c.due_at <= at)))


async def test_a_stop_waits_for_what_is_under_way_and_not_for_ever(
    context: AppContext, guild: Guild, call: CallCommand, clock: FakeClock
) -> None:
    """What is broken off stays owed, with the same nonce, for the next process."""
    chat = Hanging()
    await call("imagine", prompt="fox", channel="slow")
    await finish(context, guild)

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock, grace_seconds=0.1)):
        await eventually(lambda: _under_way(chat, 1))
    assert (chat.delivered, await context.outbox.unsettled(Platform.TERMINAL)) == ([], 1)

    clock.advance(61)
    chat.open.set()
    await Delivery(context=context, chat=chat, poster="next", clock=clock).deliver_due()
    assert len(chat.delivered) == 1


async def test_progress_that_hangs_delays_no_other(context: AppContext, call: CallCommand, clock: FakeClock) -> None:
    """A status message is as slow as its own platform."""
    chat = Hanging()
    await call("imagine", prompt="owl", channel="slow")
    await call("imagine", prompt="fox", channel="quick")

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock)):
        await eventually(lambda: _shown(chat, "fox"))
        clock.advance(60)
        claim = await context.queue.claim("worker")
        assert claim is not None
        await context.queue.heartbeat("worker", [Beat(claim=claim, step=3, steps=20)])
        chat.open.set()
        await eventually(lambda: _shown(chat, "owl"))


async def _shown(chat: Hanging, prompt: str) -> bool:
    return any(prompt in message.headline for message in chat.progress)


async def test_what_is_under_way_is_looked_at_once_a_tick(
    context: AppContext, call: CallCommand, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A status message that needs no word is no reason to ask the database again at once."""
    looks = 0
    look = Outbox.open_replies

    async def counted(outbox: Outbox, platform: Platform, **others: Any) -> list[Reply]:
        nonlocal looks
        looks += 1
        return await look(outbox, platform, **others)

    monkeypatch.setattr(Outbox, "open_replies", counted)
    monkeypatch.setattr("handlers.delivery.delivery._TICK_SECONDS", 3600.0)
    chat = FakeChat()
    await call("imagine", prompt="red fox")

    async with _running(Delivery(context=context, chat=chat, poster="p", clock=clock)):
        await eventually(lambda: _has_shown(chat))
        for _ in range(20):
            await context.outbox.waiting(Platform.TERMINAL, limit=1)

    assert looks == 1


async def _has_shown(chat: FakeChat) -> bool:
    return bool(chat.progress)
