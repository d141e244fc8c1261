"""Commands of two words: "lora add" and "lora list" are the actions of one group, /lora."""

import difflib
from collections.abc import Iterable
from typing import Final

from handlers.commands.call import Caller
from handlers.commands.command import Audience, Command
from handlers.commands.options import Options
from handlers.messages.message import Message
from pipeline.errors import InvalidRequest

_MOST_WORDS: Final = 2


def heads(commands: Iterable[Command]) -> tuple[Command, ...]:
    """The commands as a member first meets them: each of one word, and in place of its actions each group."""
    actions: dict[str, list[Command]] = {}
    for command in commands:
        actions.setdefault(command.head, []).append(command)
    return tuple(_group(head, found) if found[0].action else found[0] for head, found in actions.items())


def split_call(text: str, commands: Iterable[Command]) -> tuple[Command, str] | None:
    """The command with the longest name that `text` begins with, and the rest; None where it begins with none.

    A group stands for its name alone: what follows it has to be an action.
    """
    known = {command.name: command for command in commands}
    groups = {head.name: head for head in heads(known.values()) if head.actions}
    for count in range(_MOST_WORDS, 0, -1):
        words = text.strip().removeprefix("/").split(maxsplit=count)
        name, rest = " ".join(words[:count]).casefold(), "".join(words[count:])
        if name in known:
            return known[name], rest
        if name in groups and not rest:
            return groups[name], ""
    return None


def unknown(text: str, commands: Iterable[Command]) -> InvalidRequest:
    """What to say of a `text` that begins with no command: the nearest name, among its group's where it has one."""
    words = text.strip().removeprefix("/").casefold().split()[:_MOST_WORDS]
    head = next((head for head in heads(commands) if words and head.name == words[0]), None)
    if head is not None and head.actions:
        near = difflib.get_close_matches(words[-1], [str(action.action) for action in head.actions], n=1)
        advice = f"did you mean /{head.name} {near[0]}?" if near else f"/{head.name} lists what it can do."
        return InvalidRequest("command", f"/{head.name} has no action '{words[-1]:.40}'; {advice}")
    typed = words[0] if words else ""
    near = difflib.get_close_matches(typed, [head.name for head in heads(commands)], n=1)
    advice = f"did you mean /{near[0]}?" if near else "/help lists them all."
    return InvalidRequest("command", f"There is no command /{typed:.40}; {advice}")


def _group(name: str, actions: list[Command]) -> Command:
    async def list_actions(caller: Caller, _options: Options, _context: object) -> Message:
        shown = [action for action in actions if action.audience is Audience.EVERYONE or caller.member.is_admin]
        lines = tuple(f"/{action.name}: {action.help}. For example: {action.example}" for action in shown)
        return Message(headline=f"What /{name} can do", lines=lines, private=True)

    open_to_all = any(action.audience is Audience.EVERYONE for action in actions)
    return Command(
        name=name,
        help=", ".join(str(action.action) for action in actions),
        example=f"/{name}",
        takes=Options,
        handler=list_actions,
        audience=Audience.EVERYONE if open_to_all else Audience.ADMINS,
        private=True,
        actions=tuple(actions),
    )
