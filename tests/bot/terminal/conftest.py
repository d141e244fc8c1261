"""A terminal that writes into a text."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.rendering import Screen
from bot.terminal.session import TerminalSession
from handlers.commands.call import Member
from handlers.commands.context import AppContext
from storage.guilds.guilds import Guild


@pytest.fixture
def text() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(context: AppContext, guild: Guild, tmp_path: Path, text: io.StringIO) -> TerminalSession:
    screen = Screen(console=Console(file=text, width=120))
    chat = TerminalPlatform(folder=tmp_path / "images", screen=screen)
    return TerminalSession(context=context, chat=chat, guild=guild, member=Member(id="ada", name="Ada", is_admin=True))
