"""The lines typed at the terminal, kept in a file for the arrow keys of the next session."""

from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import FileHistory

from handlers.commands.command import Command
from handlers.commands.groups import split_call
from handlers.commands.typed import is_typed


class ChatHistory(FileHistory):
    """Keeps lines in `path`, except those of commands that take a secret."""

    def __init__(self, path: Path, commands: Iterable[Command]) -> None:
        super().__init__(str(path))
        self._commands = tuple(commands)

    def append_string(self, string: str) -> None:
        """Keep a line, if it can be written and holds no secret."""
        if not is_typed(string):
            return
        called = split_call(string, self._commands) if string.lstrip().startswith("/") else None
        if called is None or not any(option.secret for option in called[0].options):
            super().append_string(string)
