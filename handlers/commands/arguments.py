"""The values that a member gave to a command, checked against its description."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from handlers.commands.attachments import AttachedFile, OfferedFile
from handlers.commands.command import Command, OptionsT
from handlers.commands.option import Option, OptionKind
from handlers.commands.options import OptionValue
from handlers.commands.typed import MAX_NUMBER, MAX_VALUE, check_typed, file_name
from pipeline.errors import InvalidRequest

Value = OptionValue | OfferedFile
"""What a platform hands over for an option: text, a value of its own, or a file."""


def read_options(command: Command[OptionsT], raw: Mapping[str, Value]) -> OptionsT:
    """Convert and check `raw` (text or native values); raises InvalidRequest naming the option and its limit.

    A file that is only offered is one without bytes: it is fetched once nothing else can be refused.
    """
    known = {option.name: option for option in command.options}
    raw = command.takes.spelled_out(raw)
    for name in raw:
        if name not in known:
            check_typed(name)
            raise InvalidRequest(name, f"/{command.name} has no option '{name:.40}'; /help {command.name} lists them.")
    for option in command.options:
        if option.required and option.unless not in raw and raw.get(option.name) in (None, ""):
            raise InvalidRequest(option.name, f"/{command.name} needs a {option.name}: {command.example}")
    return command.takes.of({name: read_value(known[name], value) for name, value in raw.items()})


def read_value(option: Option, value: Value) -> OptionValue:
    """Convert and check one value; raises InvalidRequest naming the option and its limit."""
    if isinstance(value, str):
        check_typed(value, option.name, MAX_VALUE)
    match option.kind:
        case OptionKind.TEXT:
            return str(value)
        case OptionKind.CHOICE:
            return _choice(option, str(value))
        case OptionKind.INTEGER:
            return int(_ranged(option, value, whole=True))
        case OptionKind.NUMBER:
            return _ranged(option, value, whole=False)
        case OptionKind.SWITCH:
            return value if isinstance(value, bool) else _switch(option, str(value))
        case OptionKind.CHANNEL | OptionKind.ROLE | OptionKind.MEMBER:
            return _mentioned(option, str(value))
        case OptionKind.FILE:
            return _file(option, value)


def _file(option: Option, value: Value) -> AttachedFile:
    # Text never stands for a file: anyone who could name a blob would have what another guild handed over.
    if isinstance(value, AttachedFile):
        return replace(value, name=file_name(value.name))
    if isinstance(value, OfferedFile):
        return AttachedFile(blob="", name=file_name(value.name), size=value.size)
    raise InvalidRequest(option.name, f"{option.name} is a file; attach it instead of writing '{value!s:.60}'.")


def _choice(option: Option, text: str) -> str:
    for choice in option.choices:
        if choice.casefold() == text.strip().casefold():
            return choice
    choices = ", ".join(option.choices)
    raise InvalidRequest(option.name, f"{option.name} '{text:.60}' is unknown; choose one of: {choices}.")


def _ranged(option: Option, value: Value, *, whole: bool) -> float:
    number = _number(value)
    if not math.isfinite(number) or (whole and not number.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise InvalidRequest(option.name, f"{option.name} '{value!s:.40}' is not {kind}; use {option.range_text}.")
    if (option.low is not None and number < option.low) or (option.high is not None and number > option.high):
        raise InvalidRequest(option.name, f"{option.name} is {number:g}; use {option.range_text}.")
    if whole and abs(number) > MAX_NUMBER:
        raise InvalidRequest(option.name, f"{option.name} is {number:g}; no number here is larger than {MAX_NUMBER}.")
    return number


def _number(value: Value) -> float:
    """The value as a number: not a number where it is none, and infinite where it is too large for one."""
    try:
        return float(cast("str | float", value))
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return math.nan


def _mentioned(option: Option, text: str) -> str:
    """The id in a mention as chats write it (<#1>, <@&1>, <@1>, <#C1|name>, <!subteam^S1|@art>), or `text` itself."""
    match = re.fullmatch(r"<(?:#|@[&!]?|!subteam\^)([A-Za-z0-9]+)(?:\|[^>]*)?>|([A-Za-z0-9_-]+)", text.strip())
    if match is None:
        raise InvalidRequest(option.name, f"{option.name} '{text:.60}' is unclear; pick one from the list.")
    return str(match[1] or match[2])


def _switch(option: Option, text: str) -> bool:
    match text.strip().casefold():
        case "" | "on" | "yes" | "true" | "1":
            return True
        case "off" | "no" | "false" | "0":
            return False
    raise InvalidRequest(option.name, f"{option.name} '{text:.60}' is unclear; use on or off.")
