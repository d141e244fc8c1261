"""Completion in the terminal, against a real AppContext."""

from pathlib import Path

import pytest

from bot.terminal.completer import CommandCompleter
from handlers.commands.call import Member
from handlers.commands.context import AppContext
from handlers.commands.groups import heads
from pipeline.families.family import ModelFamily
from storage.guilds.guilds import Guild
from storage.library.loras import NewLora, new_key
from tests.app_contexts import CallCommand
from tests.brushes import with_brushes


@pytest.fixture
def completer(context: AppContext, guild: Guild) -> CommandCompleter:
    return CommandCompleter(guild=guild, member=Member(id="ada", name="Ada"), context=context)


async def _values(completer: CommandCompleter, line: str) -> list[str]:
    word = "" if line.endswith(" ") else line.rsplit(" ", maxsplit=1)[-1]
    return [suggestion.value for suggestion in await completer.suggestions(line, word)]


async def test_a_slash_suggests_commands(completer: CommandCompleter) -> None:
    """Every command that begins so, with its help."""
    assert await _values(completer, "/im") == ["/imagine"]
    assert len(await _values(completer, "/")) == len(heads(completer.context.commands))


async def test_dashes_suggest_the_commands_own_options(completer: CommandCompleter) -> None:
    """Options of another command are not offered."""
    assert await _values(completer, "/imagine red fox --st") == ["--steps"]
    assert await _values(completer, "/queue --st") == []


async def test_an_option_with_choices_suggests_them(completer: CommandCompleter) -> None:
    """By either of its spellings."""
    assert await _values(completer, "/imagine red fox --scheduler eu") == ["euler", "euler-a"]
    assert await _values(completer, "/imagine red fox --ar 16") == ["16:9"]


async def test_names_come_from_the_members_own_things(
    completer: CommandCompleter,
    call: CallCommand,
) -> None:
    """`/cancel` offers the numbers of open jobs, found by their prompts too, and nobody else's."""
    mine = (await call("imagine", prompt="red fox")).job_id
    await call("imagine", prompt="red owl", member="bob")

    assert await _values(completer, "/cancel ") == [str(mine)]
    assert await _values(completer, "/cancel fox") == [str(mine)]
    assert await _values(completer, "/cancel owl") == []
    assert await _values(completer, "/help im") == ["imagine"]


async def test_the_first_word_of_a_group_suggests_its_actions(completer: CommandCompleter) -> None:
    """Then comes what the action itself takes, in whatever case the words were typed."""
    completer.context = with_brushes(completer.context)

    assert await _values(completer, "/br") == ["/brush"]
    assert await _values(completer, "/brush ") == ["load", "list"]
    assert await _values(completer, "/brush lo") == ["load"]
    assert await _values(completer, "/brush load soft --t") == ["--tip"]
    assert await _values(completer, "/Brush load soft --tip ") == ["round", "flat"]
    assert await _values(completer, "/brush zebra ") == []
    assert await _values(completer, "/help brush") == ["brush load", "brush list", "brush"]


async def test_an_option_that_takes_a_file_suggests_paths(completer: CommandCompleter, tmp_path: Path) -> None:
    """As a shell does, from what was typed of one."""
    completer.context = with_brushes(completer.context)
    (tmp_path / "soft.png").touch()
    (tmp_path / "other.png").touch()

    assert await _values(completer, f"/brush load soft --file {tmp_path}/so") == [f"{tmp_path}/soft.png"]
    assert await _values(completer, "/brush load soft --file /no/such/folder/") == []


async def test_a_prompt_names_the_guilds_own_things(
    completer: CommandCompleter, context: AppContext, guild: Guild
) -> None:
    """Subjects behind an @, LoRAs of every sort behind <lora:, wherever in the prompt they stand."""
    for name, subject in (("rex", True), ("crayon", False)):
        await context.loras.add(
            NewLora(
                guild_id=guild.id, name=name, owner_id="ada", base_family=ModelFamily.SDXL, key=new_key(guild.id),
                size=1, subject=subject,
            )
        )  # fmt: skip

    assert await _values(completer, "/imagine @") == ["@rex"]
    assert await _values(completer, "/imagine a picnic with @re") == ["@rex"]
    assert await _values(completer, "/imagine a picnic, <lora:cr") == ["<lora:crayon:1>"]
    assert await _values(completer, "/imagine a picnic with rex") == []
