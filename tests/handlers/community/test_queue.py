"""/queue: one's own jobs and the guild's, each with its place, and nothing that was meant for other eyes."""

from dataclasses import replace

import pytest

from handlers.buttons import Press, press
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.messages.message import Message, Verb
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.new_jobs import new_job

HERE = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="bob")


@pytest.fixture
def context(context: AppContext) -> AppContext:
    """Without the limit of waiting jobs, which several pages of them exceed."""
    return replace(context, most_waiting=None)


async def test_queue_tells_the_place_of_ones_own_jobs_and_of_others(call: CallCommand) -> None:
    """What was asked in the same channel is named with its words, its owner and its turn; equal shares go by name."""
    await call("imagine", prompt="owl", member="bob")
    await call("imagine", prompt="fox")

    lines = (await call("queue")).lines

    assert lines[0].startswith("2: fox · 0 before it, ")
    assert lines[1] == "Of others:"
    assert lines[2].startswith("1: Bob: owl · 1 before it, about ")


async def test_words_meant_for_other_eyes_are_hidden(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """A private job and one of another channel or thread stand in the queue without words and without a name."""
    await call("imagine", prompt="a secret")
    payload = (await context.queue.guild_jobs(guild.id))[0].payload
    for address in (
        replace(HERE, private=True),
        replace(HERE, channel_id="moderators"),
        replace(HERE, thread_id="a thread"),
    ):
        await context.queue.enqueue(new_job(guild.id, "bob", payload=payload, reply=address))

    text = "\n".join((await call("queue", member="eve")).lines)

    assert "secret" in text
    assert text.count("secret") == 1
    assert "Bob" not in text
    assert "2: private · " in text
    assert "3: asked elsewhere · " in text
    assert "4: asked elsewhere · " in text


async def test_further_pages_go_on_where_the_last_ended(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Each job of others stands on one page; the last page has no button."""
    for number in range(12):
        await call("imagine", prompt=f"owl {number}", member="bob")
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=replace(HERE, user_id="ada"))

    first = await call("queue")
    ((more,),) = first.buttons
    second = await press(Press(verb=more.verb, target=more.target, index=0), caller, context)

    assert isinstance(second, Message)
    assert [line.partition(":")[0] for line in first.lines[1:]] == [str(number) for number in range(1, 11)]
    assert [line.partition(":")[0] for line in second.lines[1:]] == ["11", "12"]
    assert second.buttons == ()


async def test_another_guilds_jobs_are_not_there(context: AppContext, call: CallCommand) -> None:
    """However busy another guild is."""
    other = await context.guilds.ensure(Platform.TERMINAL, "guild-2", "Others")
    await call("imagine", prompt="fox")
    queued = await context.queue.get(1, 1)
    assert queued is not None
    await context.queue.enqueue(new_job(other.id, "bob", payload=queued.payload, reply=HERE))

    message = await call("queue", member="eve")

    assert [line.partition(":")[0] for line in message.lines] == ["Of others", "1"]


async def test_every_job_of_ones_own_is_on_some_page(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Oldest first, with the true number of those that are left; others' jobs are paged through beside them."""
    own = [(await call("imagine", prompt=f"fox {number}")).job_id for number in range(23)]
    theirs = [(await call("imagine", prompt=f"owl {number}", member="bob")).job_id for number in range(12)]
    caller = Caller(guild=guild, member=Member(id="ada", name="Ada"), reply=replace(HERE, user_id="ada"))
    pages = [await call("queue")]
    while pages[-1].buttons and pages[-1].buttons[0][0].label == "More of yours":
        more = pages[-1].buttons[0][0]
        page = await press(Press(verb=more.verb, target=more.target, index=0), caller, context)
        assert isinstance(page, Message)
        pages.append(page)
    first, *_ = pages
    others = await press(Press(verb=Verb.CALL, target=first.buttons[0][1].target, index=0), caller, context)

    assert isinstance(others, Message)
    assert "13 more of yours" in first.lines
    shown = [line.partition(":")[0] for page in (*pages, others) for line in page.lines if " · " in line]
    assert sorted(map(int, shown)) == sorted(filter(None, [*own, *theirs]))
    assert [len(page.lines) for page in pages[1:]] == [11, 3]
