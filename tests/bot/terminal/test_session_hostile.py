"""Whatever is typed at the terminal is answered in a sentence, and the terminal goes on."""

import io
import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bot.terminal.completer import CommandCompleter
from bot.terminal.session import TerminalSession
from handlers.commands.context import AppContext
from handlers.commands.typed import is_typed
from handlers.registry import COMMANDS
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.fakes import png, request
from tests.hostile import LONG, OUR_FAULT, VALUES, hostile_calls, required_values

pytestmark = pytest.mark.slow  # every option of every command, several times


@pytest.fixture
def context(context: AppContext) -> AppContext:
    """Without the limit of waiting jobs, since every option is tried."""
    return replace(context, most_waiting=None)


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "start.png"
    path.write_bytes(png(request()))
    return str(path)


async def said(session: TerminalSession, text: io.StringIO, line: str) -> str:
    """What the line is answered with, or that it was queued, of which the terminal shows only the progress."""
    start, before = len(text.getvalue()), await waiting(session)
    draft = await session.run_line(line)
    return text.getvalue()[start:] + draft or "queued" * (await waiting(session) > before)


async def waiting(session: TerminalSession) -> int:
    return (await session.context.queue.counts())[JobState.QUEUED]


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
async def test_every_option_of_every_command_takes_anything(
    session: TerminalSession, text: io.StringIO, image: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Numbers of any size, text that is none, and what parsers choke on: refused or taken, never our fault."""
    command = session.context.command(name)
    for option, value in hostile_calls(command, each=3):
        given = {**required_values(command, image), option: value}
        line = " ".join((f"/{name}", *(f"--{key} {entry}" for key, entry in given.items())))
        answer = await said(session, text, line)
        assert answer.strip(), line
        assert not any(words in answer for words in OUR_FAULT), (line[:300], answer)
        answer.encode()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_any_line_at_all_is_answered(
    session: TerminalSession, text: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    """As a prompt, as the text of commands, as a command's name and as a button's number."""
    for value in (*VALUES, *LONG):
        for line in (value, f"/imagine {value}", f"/cancel {value}", f"/help {value}", f"/{value}", f"#{value}"):
            if line.strip():
                answer = await said(session, text, line)
                assert answer.strip(), line[:300]
                assert not any(words in answer for words in OUR_FAULT), (line[:300], answer[:300])
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_no_line_takes_long(session: TerminalSession) -> None:
    """A hundred thousand characters are refused before anything reads them twice."""
    start = time.process_time()
    for value in LONG:
        await session.run_line(f"/imagine {value}")
        await session.run_line(value or "x")
    assert time.process_time() - start < 0.1 * len(LONG)


async def test_completion_survives_whatever_stands_in_the_line(session: TerminalSession, guild: Guild) -> None:
    """It suggests nothing for what could not be typed."""
    completer = CommandCompleter(guild=guild, member=session.member, context=session.context)
    for value in (*VALUES, *LONG):
        word = value.split()[-1] if value.split() else ""
        for start in ("", "/lora info ", "/cancel ", "/edit fox --image ", "/imagine @", "/imagine fox --lora "):
            found = await completer.suggestions(start + value, word)
            assert not found or is_typed(start + value)
