"""A command typed as text: the words up to the first known flag, then `--flag value` pairs.

Chat clients put in smart quotes, long dashes and ellipses; an apostrophe is a letter like any other, so
nothing is quoted unless a value begins with a quotation mark.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Final

from handlers.commands.command import Command
from handlers.commands.option import Option, OptionKind
from handlers.commands.typed import check_typed
from pipeline.errors import InvalidRequest

_SMART: Final = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "…": "..."})
_LONG_DASH_FLAG: Final = re.compile(r"(^|\s)[—–](?=[A-Za-z])")
_FLAG: Final = re.compile(r"(?:^|(?<=\s))--([A-Za-z][\w-]*)(?:=|(?=\s|$))")


def parse_text(command: Command, text: str) -> dict[str, str]:
    """The raw values in `text`, by option name, for `read_options`.

    Raises InvalidRequest for an unknown flag (naming the nearest), a flag without its value or given twice, or words
    that the command has no use for.
    """
    check_typed(text)
    text = _LONG_DASH_FLAG.sub(r"\1--", text.translate(_SMART)).strip()
    matches = list(_FLAG.finditer(text))
    stops = [match.start() for match in matches] + [len(text)]
    raw = _leading_words(command, text[: stops[0]])
    given = set(raw)
    for match, stop in zip(matches, stops[1:], strict=True):
        option = _option(command, match[1])
        value = text[match.end() : stop].strip()
        if not value and option.kind is not OptionKind.SWITCH:
            raise InvalidRequest(option.name, f"--{match[1]} needs a value: {option.help.lower()}.")
        value = _unquoted(value or "on")  # only a switch stands alone
        if option.name in given and not option.repeats:
            raise InvalidRequest(option.name, f"--{option.name} is given twice; give it once.")
        raw[option.name] = f"{raw[option.name]} {value}" if option.name in given else value
        given.add(option.name)
    return raw


def write_text(command: Command, values: Mapping[str, str]) -> str:
    """The call as a member would type it, which `parse_text` reads back; empty values are left out."""
    words = [f"/{command.name}"]
    if command.rest is not None and values.get(command.rest.name):
        words.append(values[command.rest.name])
    return " ".join([*words, *write_flags(command, values)])


def write_flags(command: Command, values: Mapping[str, str]) -> list[str]:
    """The values that are not the free text, each as `--flag value`."""
    given = [option for option in command.options if not option.rest and values.get(option.name)]
    return [f"--{option.name} {values[option.name]}" for option in given]


def _leading_words(command: Command, words: str) -> dict[str, str]:
    words = words.strip()
    if not words:
        return {}
    if command.rest is None:
        raise InvalidRequest("text", f"/{command.name} takes no text; write {command.example}")
    return {command.rest.name: words}


def _option(command: Command, flag: str) -> Option:
    spellings = {spelling: option for option in command.options for spelling in option.flags}
    option = spellings.get(flag.casefold())
    if option is not None:
        return option
    near = difflib.get_close_matches(flag.casefold(), spellings, n=1)
    advice = f"did you mean --{near[0]}?" if near else f"/help {command.name} lists them."
    raise InvalidRequest(flag, f"/{command.name} has no --{flag:.40}; {advice}")


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value
