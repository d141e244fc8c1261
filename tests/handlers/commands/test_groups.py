"""Commands of two words: the longest name counts, a group lists its actions, a slip names the nearest."""

import pytest

from handlers.commands.arguments import Value
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.dispatch import answer
from handlers.commands.groups import heads
from handlers.commands.parsing import write_text
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Message
from handlers.registry import COMMANDS
from pipeline.errors import InvalidRequest
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress
from tests.brushes import LIST, LOAD, with_brushes


@pytest.fixture
def brushes(context: AppContext) -> AppContext:
    return with_brushes(context)


async def _call(
    context: AppContext, guild: Guild, text: str, *roles: str, admin: bool = False, **values: Value
) -> Message:
    command, rest = context.called(text)
    fresh = await context.guilds.get(guild.id)
    assert fresh is not None
    raw = {**values, **({command.rest.name: rest} if command.rest and rest else {})}
    address = ReplyAddress(platform=Platform.TERMINAL, channel_id="general", user_id="ada")
    member = Member(id="ada", name="Ada", is_admin=admin, roles=roles)
    return await answer(command, raw, Caller(guild=fresh, member=member, reply=address), context)


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("/brush load soft --tip round", "brush load", "soft --tip round"),
        ("brush  LOAD\nsoft", "brush load", "soft"),
        ("/brush list", "brush list", ""),
        ("/brush", "brush", ""),
        ("/Imagine brush load", "imagine", "brush load"),
    ],
)
def test_the_longest_known_name_is_the_command(brushes: AppContext, text: str, name: str, rest: str) -> None:
    """In any case, however many spaces stand between; the rest is untouched."""
    command, behind = brushes.called(text)

    assert (command.name, behind) == (name, rest)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/brush laod soft", "/brush has no action 'laod'; did you mean /brush load?"),
        ("/brush zebra", "/brush has no action 'zebra'; /brush lists what it can do."),
        ("/brsh load", "There is no command /brsh; did you mean /brush?"),
        ("/quantum", "There is no command /quantum; /help lists them all."),
        ("", "There is no command /; /help lists them all."),
    ],
)
def test_a_slip_names_the_nearest(brushes: AppContext, text: str, words: str) -> None:
    """Within the group where the group was meant."""
    with pytest.raises(InvalidRequest) as refusal:
        brushes.called(text)

    assert str(refusal.value) == words


async def test_a_group_alone_lists_its_actions_with_examples(brushes: AppContext, guild: Guild) -> None:
    """And so does help; help for an action explains its options; the overview has one line for the group."""
    listed = await _call(brushes, guild, "/brush")

    assert listed.private
    assert listed.lines == (
        "/brush load: Load a brush from a file. For example: /brush load soft --file soft.png",
        "/brush list: The brushes here. For example: /brush list",
    )
    assert (await _call(brushes, guild, "/help /brush")).lines == listed.lines
    assert "file or" not in str(await _call(brushes, guild, "/help brush"))
    assert "--file: The brush itself" in (await _call(brushes, guild, "/help brush load")).lines
    assert "/brush: load, list" in (await _call(brushes, guild, "/help")).lines


async def test_a_role_for_the_first_word_counts_for_all_its_actions(brushes: AppContext, guild: Guild) -> None:
    """One for an action narrows that action further; the group's list is held to the first alone."""
    await _call(brushes, guild, "/settings", admin=True, **{"command": "brush", "allow-role": "painters"})
    await _call(brushes, guild, "/settings", admin=True, **{"command": "/Brush Load", "allow-role": "masters"})

    for text in ("/brush", "/brush list", "/brush load soft"):
        with pytest.raises(NotAllowed, match="/brush needs a role"):
            await _call(brushes, guild, text, "masters")
    assert (await _call(brushes, guild, "/brush list", "painters")).headline == "No brushes yet"
    with pytest.raises(NotAllowed, match="/brush load needs a role"):
        await _call(brushes, guild, "/brush load soft", "painters")
    with pytest.raises(InvalidRequest, match="needs a file"):
        await _call(brushes, guild, "/brush load soft", "painters", "masters")


def test_a_written_call_is_read_back(brushes: AppContext) -> None:
    """Drafts and pasted commands keep both words."""
    text = write_text(LOAD, {"name": "soft", "tip": "flat"})

    assert text == "/brush load soft --tip flat"
    assert brushes.called(text) == (LOAD, "soft --tip flat")
    assert LIST.name in {command.name for command in brushes.commands}


def test_no_command_has_the_first_word_of_another_as_its_name() -> None:
    """Discord knows only the one or the other; and a group has at most 25 actions there."""
    groups = {head.name for head in heads(COMMANDS) if head.actions}

    assert not groups & {command.name for command in COMMANDS}
    assert all(len(head.actions) <= 25 for head in heads(COMMANDS))
    assert all(len(command.name.split(" ")) <= 2 for command in COMMANDS)
