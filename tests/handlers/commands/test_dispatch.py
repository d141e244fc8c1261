"""The way from raw values to a handler."""

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

import pytest

from handlers.commands.call import Caller, Member
from handlers.commands.command import Audience, Command
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer, answers_privately
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest, UserError
from pipeline.processes.fair_turns import FairTurns
from storage.guilds.guilds import Guild, GuildSettings
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class _PaintOptions(Options):
    private: Annotated[bool | None, Details("For your eyes only")] = None


async def say_where(caller: Caller, _options: Options, _context: AppContext) -> Message:
    return Message(headline="private" if caller.reply.private else "open")


COMMAND: Command[_PaintOptions] = Command(
    name="paint", help="h", example="/paint", takes=_PaintOptions, handler=say_where
)


def caller(guild: Guild, *, admin: bool = False, private: bool = False) -> Caller:
    reply = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada", private=private)
    return Caller(guild=guild, member=Member(id="ada", name="Ada", is_admin=admin), reply=reply)


async def test_admins_commands_are_for_admins(context: AppContext, guild: Guild) -> None:
    command = replace(COMMAND, audience=Audience.ADMINS)

    with pytest.raises(NotAllowed, match="/paint is for the admins of this server"):
        await answer(command, {}, caller(guild), context)
    assert (await answer(command, {}, caller(guild, admin=True), context)).headline == "open"


async def test_the_check_refuses_before_the_handler_is_called(context: AppContext, guild: Guild) -> None:
    """And after the values were found to be right."""

    async def refuse(_caller: Caller, _options: Options, _context: AppContext) -> None:
        raise UserError("The library is full.")

    command = replace(COMMAND, check=refuse)
    with pytest.raises(UserError, match="The library is full"):
        await answer(command, {}, caller(guild), context)
    with pytest.raises(InvalidRequest, match="no option 'colour'"):
        await answer(command, {"colour": "red"}, caller(guild), context)


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("chosen", [None, True, False])
def test_a_member_may_choose_who_sees_the_answer(usual: bool, chosen: bool | None) -> None:
    """Else it is as the guild wants it."""
    settings = GuildSettings(private_by_default=usual)

    assert answers_privately(COMMAND, _PaintOptions(private=chosen), settings) == (usual if chosen is None else chosen)


@pytest.mark.parametrize("private", [True, False])
def test_without_the_option_the_command_decides(private: bool) -> None:
    """A guild that is private by default hides nothing else, and no member shows what is private."""
    command = Command(name="look", help="h", example="/look", takes=Options, handler=say_where, private=private)

    assert answers_privately(command, Options(), GuildSettings(private_by_default=True)) == private


async def test_where_a_call_came_privately_its_answer_stays_so(context: AppContext, guild: Guild) -> None:
    said = await answer(COMMAND, {"private": False}, caller(guild, private=True), context)

    assert said.headline == "private"
    assert (await answer(COMMAND, {"private": True}, caller(guild), context)).headline == "private"


async def test_who_sends_many_waits_for_their_own_alone(context: AppContext, guild: Guild) -> None:
    """Two at a time are read; somebody else's come at once, and all are answered."""
    go_on, read = asyncio.Event(), list[str]()

    async def wait(caller: Caller, _options: Options, _context: AppContext) -> Message:
        read.append(caller.member.name)
        await go_on.wait()
        return Message(headline="done")

    command = replace(COMMAND, handler=wait)
    ada = caller(guild)
    bob = replace(ada, member=Member(id="bob", name="Bob"))
    sent = [asyncio.create_task(answer(command, {}, each, context)) for each in (*[ada] * 10, bob)]
    while "Bob" not in read:  # noqa: ASYNC110 - nothing tells of it but the list
        await asyncio.sleep(0)

    assert read == ["Ada", "Ada", "Bob"]
    go_on.set()
    assert len(await asyncio.gather(*sent)) == 11


async def test_more_than_anyone_needs_are_refused(context: AppContext, guild: Guild) -> None:
    """In a sentence; those that were taken go on."""
    turns = FairTurns(at_once=9, most_each=1, most_waiting=1, crowded="Too many of your commands.")
    go_on = asyncio.Event()

    async def wait(_caller: Caller, _options: Options, _context: AppContext) -> Message:
        await go_on.wait()
        return Message(headline="done")

    crowded = replace(context, calls_at_once=turns)
    command = replace(COMMAND, handler=wait)
    sent = [asyncio.create_task(answer(command, {}, caller(guild), crowded)) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()

    results = await asyncio.gather(*sent, return_exceptions=True)

    assert [str(each) for each in results if isinstance(each, UserError)] == ["Too many of your commands."]
