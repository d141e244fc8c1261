"""A command as it was typed in Slack: by its own name, below the umbrella, or to the bot by a mention."""

import re
from dataclasses import dataclass
from typing import Final

from handlers.commands.arguments import Arguments
from handlers.commands.command import Command
from handlers.commands.groups import split_call
from handlers.commands.option import OptionKind
from handlers.commands.parsing import parse_text
from handlers.context.context import AppContext
from pipeline.errors import InvalidRequest

_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_NAMED: Final = re.compile(r"<([@#])[A-Z0-9]+\|([^>]*)>")
_LINK: Final = re.compile(r"<((?:https?|mailto):[^|>]+)(?:\|[^>]*)?>")
_MENTION: Final = re.compile(r"^\s*<@[A-Z0-9]+(?:\|[^>]*)?>\s*")
_MAX_UNKNOWN: Final = 10
_POINTING: Final = frozenset({OptionKind.CHANNEL, OptionKind.ROLE, OptionKind.MEMBER})


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedCall:
    """A command and the text behind it."""

    command: Command
    text: str

    @property
    def wants_form(self) -> bool:
        """Whether nothing was typed for a command that cannot do without, or it needs a file, which cannot be typed."""
        nothing = not self.text.strip() and any(option.required for option in self.command.options)
        return nothing or self.command.needs_file


def below_umbrella(text: str, context: AppContext) -> TypedCall:
    """`queue`, `imagine red fox …` and the like; nothing at all asks for help. Raises InvalidRequest."""
    command, rest = context.called(text.strip() or "help")
    return TypedCall(command=command, text=rest)


def by_mention(text: str, context: AppContext) -> TypedCall:
    """What was written to the bot: a command, or else a prompt. Raises InvalidRequest for an unknown /command."""
    words = _MENTION.sub("", text).strip()
    if not words or words.startswith("/") or split_call(words, context.commands):
        return below_umbrella(words, context)
    return TypedCall(command=context.command("imagine"), text=words)


def plain_words(call: TypedCall) -> TypedCall:
    """The call without Slack's markup: "<#C1|general>" is "#general", but for commands that ask for such things."""
    if any(option.kind in _POINTING for option in call.command.options):
        return TypedCall(command=call.command, text=unescaped(call.text))
    text = _NAMED.sub(lambda match: match[1] + match[2], call.text)
    return TypedCall(command=call.command, text=unescaped(_LINK.sub(lambda match: match[1], text)))


def unescaped(text: str) -> str:
    """Slack escapes three characters in what members type."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def readable_values(call: TypedCall) -> dict[str, str]:
    """As much of the text as can be understood, for a form that is to be filled: unknown flags are left out."""
    text = call.text
    for _ in range(_MAX_UNKNOWN):
        try:
            values = parse_text(call.command, text)
        except InvalidRequest as error:
            text, before = re.sub(rf"[-—–]+{re.escape(error.field)}\b=?\s*(?:(?!--)\S+)?", "", text), text
            if text == before:
                break
        else:
            return {name: value for name, value in values.items() if _is_valid(call.command, name, value)}
    return {}


def _is_valid(command: Command, name: str, value: str) -> bool:
    """Whether a form may show the value: a select refuses a choice that it does not have."""
    required = {option.name: "x" for option in command.options if option.required}
    try:
        Arguments.check(command, {**required, name: value})
    except InvalidRequest as error:
        return error.field != name
    return True
