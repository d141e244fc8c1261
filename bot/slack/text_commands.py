"""Commands typed in Slack as text: by their own name, below the umbrella, or in a mention of the bot."""

import re
from dataclasses import dataclass
from typing import Final

from bot.slack.rendering import unescaped
from handlers.commands.arguments import read_value
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.groups import split_call
from handlers.commands.option import OptionKind
from handlers.commands.options import value_text
from handlers.commands.parsing import parse_text
from pipeline.errors import InvalidRequest

# None goes on past another "<", so that many of them are not each read to the end of the text.
_NAMED: Final = re.compile(r"<([@#])[A-Z0-9]+\|([^<>]*)>")
_LINK: Final = re.compile(r"<((?:https?|mailto):[^|<>]+)(?:\|[^<>]*)?>")
_MENTION: Final = re.compile(r"\s*<@[A-Z0-9]+(?:\|[^<>]*)?>\s*")
_MAX_UNKNOWN: Final = 10
_POINTING: Final = frozenset({OptionKind.CHANNEL, OptionKind.ROLE, OptionKind.MEMBER})


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCommand:
    """A command and the text behind it."""

    command: Command
    text: str

    @property
    def wants_form(self) -> bool:
        """Whether the command needs text and has none, or needs a file, which cannot be typed."""
        nothing = not self.text.strip() and any(option.required for option in self.command.options)
        return nothing or self.command.needs_file


def below_umbrella(text: str, context: AppContext) -> TextCommand:
    """Read `queue`, `imagine red fox …` and the like; an empty text asks for help. Raises InvalidRequest."""
    command, rest = context.called(text.strip() or "help")
    return TextCommand(command=command, text=rest)


def by_mention(text: str, context: AppContext) -> TextCommand:
    """Read a mention of the bot: a command, else a prompt. Raises InvalidRequest for an unknown /command."""
    mention = _MENTION.match(text)
    words = text[mention.end() if mention else 0 :].strip()
    if not words or words.startswith("/") or split_call(words, context.commands):
        return below_umbrella(words, context)
    return TextCommand(command=context.command("imagine"), text=words)


def plain_words(call: TextCommand) -> TextCommand:
    """The call without Slack's markup: "<#C1|general>" is "#general", except for commands that take channels."""
    if any(option.kind in _POINTING for option in call.command.options):
        return TextCommand(command=call.command, text=unescaped(call.text))
    text = _NAMED.sub(lambda match: match[1] + match[2], call.text)
    return TextCommand(command=call.command, text=unescaped(_LINK.sub(lambda match: match[1], text)))


def readable_values(call: TextCommand) -> dict[str, str]:
    """The values in the text that can be read, to fill a form with; unknown flags are left out."""
    text = call.text
    for _ in range(_MAX_UNKNOWN):
        try:
            values = parse_text(call.command, text)
        except InvalidRequest as error:
            text, before = _without_flag(text, error.field), text
            if text == before:
                break
        else:
            read = {name: _readable(call.command, name, value) for name, value in values.items()}
            return {name: value for name, value in read.items() if value is not None}
    return {}


def _without_flag(text: str, flag: str) -> str:
    return re.sub(rf"(?<![-—–])[-—–]+{re.escape(flag)}\b=?\s*(?:(?!--)\S+)?", "", text)


def _readable(command: Command, name: str, value: str) -> str | None:
    """The value as a form shows it; None for one that a field would refuse, and with it the whole form."""
    option = command.option(name)
    try:
        return None if option is None else value_text(read_value(option, value))
    except InvalidRequest:
        return None
