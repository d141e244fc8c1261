"""Delivery: what is recorded is posted, once, by whatever way still works."""

import pytest

from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from handlers.messages.chat_platform import TryLater, Undeliverable
from handlers.messages.message import Message, Mood
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.job_queue import Beat
from storage.queue.jobs import GiveUp
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.fakes import FakeChat, FakeClock
from tests.handlers.delivery.finishing import finish


async def test_a_finished_job_is_posted_once(
    context: AppContext, guild: Guild, call: CallCommand, delivery: Delivery, chat: FakeChat
) -> None:
    """Its image, its parameters in the closing line, and never a second time."""
    await call("imagine", prompt="Red fox!", seed=7)
    await finish(context, guild)

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
    await finish(context, guild)
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
        await finish(context, guild)
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
    await finish(context, guild)
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
    await finish(context, guild)
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
    await finish(context, guild)
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
            await finish(context, guild)
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
