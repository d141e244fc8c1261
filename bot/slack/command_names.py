"""The names of our commands in Slack, where all apps share one set of names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from handlers.commands.command import Command
from handlers.commands.groups import heads
from pipeline.errors import UserError

UMBRELLA: Final = "limner"
# Names that many apps use; these commands are reached through the umbrella only.
_HOUSEKEEPING: Final = frozenset({"queue", "cancel", "help", "history", "settings", "privacy"})
_NAME: Final = re.compile(r"/[a-z0-9_-]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandNames:
    """The slash commands: `given` maps a command's own name, or `limner`, to the name that it has in Slack."""

    prefix: str = ""
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, prefix: str, pairs: str, commands: tuple[Command, ...]) -> "CommandNames":
        """From `img-` and `imagine=draw limner=art`; raises UserError naming the pair that is wrong."""
        known = {command.head for command in commands if not is_housekeeping(command)} | {UMBRELLA}
        given: dict[str, str] = {}
        for pair in pairs.replace(",", " ").split():
            name, _, chosen = pair.partition("=")
            if name not in known:
                raise UserError(f"SLACK_COMMAND_NAMES renames '{name}'; it can rename {', '.join(sorted(known))}.")
            given[name] = chosen.removeprefix("/")
        names = cls(prefix=prefix.removeprefix("/"), given=tuple(given.items()))
        for name in known:
            if not _NAME.fullmatch(names.slash(name)):
                raise UserError(f"'{names.slash(name)}' is no name for a Slack command; use a-z, 0-9, - and _.")
        if len({names.slash(name) for name in known}) < len(known):
            raise UserError("Two Slack commands have one name; correct SLACK_COMMAND_NAMES.")
        return names

    @property
    def umbrella(self) -> str:
        """The command under which all others can be reached."""
        return self.slash(UMBRELLA)

    def slash(self, name: str) -> str:
        """What a member types for a command that has a name of its own."""
        chosen: Mapping[str, str] = dict(self.given)
        if name in chosen:
            return f"/{chosen[name]}"
        return f"/{name}" if name == UMBRELLA else f"/{self.prefix}{name}"

    def typed(self, command: Command) -> str:
        """What a member types for any command."""
        if is_housekeeping(command):
            return f"{self.umbrella} {command.name}"
        return " ".join(filter(None, (self.slash(command.head), command.action)))

    def spell(self, text: str, commands: tuple[Command, ...]) -> str:
        """`text` with each command as it is typed here: "/queue lists yours" names /limner queue."""
        typed = {command.name: self.typed(command) for command in (*commands, *heads(commands))}
        longest_first = sorted(map(re.escape, typed), key=len, reverse=True)
        pattern = rf"(?<![\w/])/({'|'.join(longest_first)})(?![\w-])"
        return re.sub(pattern, lambda match: typed[match[1]], text)


def is_housekeeping(command: Command) -> bool:
    """Whether a command is reached through the umbrella only."""
    return command.head in _HOUSEKEEPING
