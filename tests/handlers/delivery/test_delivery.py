"""Delivery: what is recorded is posted, once, by whatever way still works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import exists, select

from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.jobs.payloads import REQUEST
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message, Mood
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import Beat
from storage.queue.jobs import Done, GiveUp, JobKind, NewJob
from storage.queue.reply_address import ReplyAddress
from storage.tables import replies
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, png, request


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
def delivery(context: AppContext, chat: FakeChat, clock: FakeClock) -> Delivery:
    return Delivery(context=context, chat=chat, poster="this process", clock=clock)


async def _finish(context: AppContext, guild: Guild) -> None:
    """Claim the next job and finish it with one image."""
    claim = await context.queue.claim("worker")
    assert claim is not None
    blob = await context.blobs.put(png(request()))
    image = NewImage(index=0, blob=blob, width=64, height=64, seed=7, parameters="")
    await context.queue.record_image(claim, image)
    await context.queue.settle(claim, Done(device_seconds=3.1))


async def test_a_finished_job_is_posted_once(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat
) -> None:
    """Its image, its parameters in the closing line, and never a second time."""
    await call("imagine", prompt="Red fox!", seed=7)
    await _finish(context, guild)

    assert await delivery.deliver_due() == 1
    assert await delivery.deliver_due() == 0

    [(address, message)] = chat.delivered
    assert address.user_id == "ada"
    assert message.images[0].file_name == "red-fox-1-1.png"
    assert message.footer == "pocket · 128×128 · seed 7 · 3.1 s"


async def test_a_failure_is_reported_in_its_own_sentence(
    context: AppContext, call: CallCommand, delivery: Delivery, chat: FakeChat
) -> None:
    """The member reads what to change."""
    await call("imagine", prompt="fox")
    claim = await context.queue.claim("worker")
    assert claim is not None
    await context.queue.settle(claim, GiveUp(sentence="Too large; try 1024x1024."))

    await delivery.deliver_due()

    [(_, message)] = chat.delivered
    assert (message.mood, message.lines) == (Mood.FAILED, ("Too large; try 1024x1024.",))


async def test_a_platform_that_is_busy_is_tried_again_when_it_asked(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """Not before, and not never."""
    await call("imagine", prompt="fox")
    await _finish(context, guild)
    chat.troubles = [TryLater(30, "rate limited")]

    await delivery.deliver_due()
    clock.advance(29)
    await delivery.deliver_due()
    assert chat.delivered == []
    clock.advance(2)
    await delivery.deliver_due()
    assert len(chat.delivered) == 1


async def test_a_message_that_waits_for_itself_alone_holds_up_no_other(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """A file that the platform works on for long: what is asked for later in the same channel comes first."""
    first = (await call("imagine", prompt="slow fox")).job_id
    second = (await call("imagine", prompt="quick fox")).job_id
    for _ in range(2):
        await _finish(context, guild)
    chat.troubles = [TryLater(300, "the file is not ready", alone=True)]

    await delivery.deliver_due()
    assert [message.job_id for _, message in chat.delivered] == [second]
    clock.advance(301)
    await delivery.deliver_due()
    assert [message.job_id for _, message in chat.delivered] == [second, first]


async def test_an_unexpected_error_loses_nothing(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """A bug in an adapter delays the image, and is logged."""
    await call("imagine", prompt="fox")
    await _finish(context, guild)
    chat.troubles = [RuntimeError("a bug")]

    await delivery.deliver_due()
    clock.advance(10)
    await delivery.deliver_due()
    assert len(chat.delivered) == 1


async def test_each_further_failure_waits_twice_as_long(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """Two seconds, then four: a platform that is down is not asked more and more often."""
    await call("imagine", prompt="fox")
    await _finish(context, guild)
    chat.troubles = [RuntimeError("down"), RuntimeError("still down")]
    await delivery.deliver_due()
    clock.advance(2)
    await delivery.deliver_due()
    assert chat.troubles == []

    clock.advance(3)
    await delivery.deliver_due()
    assert chat.delivered == []
    clock.advance(1)
    await delivery.deliver_due()
    assert len(chat.delivered) == 1


async def test_what_can_reach_nobody_is_kept(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """It is settled, so that it is not tried for ever; its images stay."""
    job_id = (await call("imagine", prompt="fox")).job_id
    await _finish(context, guild)
    chat.troubles = [Undeliverable("the channel is gone")]

    await delivery.deliver_due()
    clock.advance(100_000)
    await delivery.deliver_due()

    assert chat.delivered == []
    assert await context.outbox.unsettled(Platform.TERMINAL) == 0
    assert len(await context.queue.images(guild.id, job_id or 0)) == 1


async def test_what_can_reach_nobody_is_said_to_the_admins_once_a_day(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """In the log of the settings, with the platform's reason and without what was asked for."""
    for day in range(2):
        for _ in range(2):
            await call("imagine", prompt="secret fox")
            await _finish(context, guild)
            chat.troubles = [Undeliverable("Slack's missing_scope")]
            await delivery.deliver_due()
        assert len(await context.audit.entries(guild.id)) == day + 1
        clock.advance(86_401)

    log = await call("settings", show="log", admin=True)
    assert "Limner · a result was not delivered and is kept: Slack's missing_scope" in log.lines[0]
    assert "secret" not in "".join(log.lines)


async def test_progress_is_shown_when_it_changes_and_no_more_often_than_the_platform_likes(
    context: AppContext, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """One edit in three seconds, newest state wins, an unchanged state is not sent again."""
    await call("imagine", prompt="fox")
    await delivery.show_progress()
    clock.advance(10)
    await delivery.show_progress()
    assert [message.mood for message in chat.progress] == [Mood.WAITING]

    claim = await context.queue.claim("worker")
    assert claim is not None
    for step in (1, 2, 3):
        await context.queue.heartbeat("worker", [Beat(claim=claim, step=step, steps=20)])
        await delivery.show_progress()
    assert chat.progress[-1].lines == ("1 of 20 steps",)
    clock.advance(3)
    await delivery.show_progress()
    assert chat.progress[-1].lines == ("3 of 20 steps",)
    assert len(chat.progress) == 3


async def test_a_place_in_the_line_is_said_every_ten_seconds_at_most(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat, clock: FakeClock
) -> None:
    """Behind many others a member would else see each of them go by."""
    first = (await call("imagine", prompt="fox")).job_id
    await call("imagine", prompt="owl")
    await delivery.show_progress()
    await context.queue.cancel(guild.id, first or 0)
    shown = len(chat.progress)

    clock.advance(9)
    await delivery.show_progress()
    assert len(chat.progress) == shown
    clock.advance(1)
    await delivery.show_progress()
    assert len(chat.progress) == shown + 1


class Stumbling(FakeChat):
    """A chat that cannot show its first message."""

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:
        self.progress.append(message)
        if len(self.progress) == 1:
            raise RuntimeError("a mistake of ours")


async def test_one_message_that_fails_stops_no_other_and_is_not_swallowed(
    context: AppContext, call: CallCommand, clock: FakeClock
) -> None:
    """The error is raised once all have had their turn, for the log."""
    await call("imagine", prompt="fox")
    await call("imagine", prompt="owl")
    chat = Stumbling()

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        await Delivery(context=context, chat=chat, poster="this process", clock=clock).show_progress()

    assert len(chat.progress) == 2


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
        await _finish(context, guild)
    for number in range(20):
        await call("imagine", prompt="fox", channel=f"quick-{number}")
        await _finish(context, guild)

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
        await _finish(context, guild)
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
    await _finish(context, guild)

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
    await _finish(context, guild)

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
