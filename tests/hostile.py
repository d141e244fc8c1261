"""What a member could type to do harm, and the words that must never be the answer."""

import random
from collections.abc import Iterator
from typing import Final

from handlers.commands.command import Command
from handlers.commands.option import OptionKind

NUMBERS: Final = (
    "99999999999999999999", str(2**63 - 1), str(2**63), str(10**30), f"-{2**63 + 1}", "-1", "0", "9" * 5000, "00000012",
    "٣", "１２", "²", "1_000", "1e3", "1e999", "-1e999", "nan", "inf", "-inf", "0x10", "1.5", "1" + "0" * 400, "--5",
)  # fmt: skip
TEXTS: Final = (
    "", " ", "\0", "a\0b", "\ud800", "a\udfffb", "\udcff", "\u202eevil\u202c", "\u2066\u2067\u2068", "\ufeff", "\ufffe",
    "\x1b[2J\x1b]0;x\x07", "\x08\x7f", "\x9b31m", "a\r\nb\n\n\n" * 50, "\n" * 500, "\u2028", "🦊" * 500,
    "👩\u200d👩\u200d👧\u200d👦" * 200, "e" + "\u0301" * 900, "<@U1>" * 300, "<@A|" * 400, "@everyone", "`" * 1000,
    "```\n", "*_~|>" * 100, "%s%n{0}{x!r:>99999}", "../../../etc/passwd", "~nobody/x", "/dev/zero", "'; DROP TABLE",
    "--" * 900, "—" * 1900, "-" * 1900, "=" * 500, '"' * 999,
    "{a|" * 40 + "a" + "}" * 40, "{a|b}" * 100, "{" * 900, "}" * 900, "{|" * 900, "|" * 1900,
    "(" * 900 + "a" + ")" * 900, "(" * 900 + "]" * 900, "[" * 999, "((a:" * 300, "(a:" + "9" * 1500 + ")", "(a:1.2.3)",
    "(a:-1)", "<lora:a:1>" * 150, "<lora:a:99999>", "<lora:" * 300, "a:" * 900, "@a:999 " * 200, "1:1:1", "9999:1",
    ":" * 1900, "," * 1900, "x" * 2001, "x" * 100_000, "\0" * 100_000, "🦊" * 50_000, "(" * 100_000, "{" * 100_000,
    "https://civitai.com/models/" + "9" * 100, "https://huggingface.co/a/b/blob/main/%00.safetensors", "https://[::1",
    "https://\ud800/x.safetensors", "urn:air:sdxl:lora:civitai:" + "9" * 12,
)  # fmt: skip
VALUES: Final = NUMBERS + TEXTS
LONG: Final = (
    *(sign * 100_000 for sign in "({[<|-—:@,\"'\\ \n\0"),
    "{a|" * 30_000, "<@A|" * 25_000, "<http:" * 15_000, "(]" * 50_000, "(" * 50_000 + "]" * 50_000, "--n " * 25_000,
    "a:" * 50_000, "(a:1" * 25_000, "<lora:a:1>" * 10_000, "@a:1 " * 20_000, "1:0.1 " * 15_000,
    ":" + " " * 99_999 + "1", ":" + "1" * 99_999, "{" + "|" * 99_999, "{a|b}" * 20_000, "\ud800" * 100_000,
)  # fmt: skip
"""Texts of a hundred thousand characters, each of which makes some way of reading it slow."""

OUR_FAULT: Final = ("went wrong", "Traceback", "Error(", "Exception")
"""Words of an answer that say the fault was ours."""


def hostile_calls(command: Command, each: int) -> Iterator[tuple[str, str]]:
    """Names of options of `command`, with `each` values for each of them; another choice for every command."""
    draw = random.Random(command.name)  # noqa: S311 - the same for every run
    for option in command.options:
        suited = NUMBERS if option.kind in (OptionKind.INTEGER, OptionKind.NUMBER) else TEXTS
        for values in (suited, VALUES):
            for value in draw.sample(values, each):
                yield option.name, value


def required_values(command: Command, file: str, *, every: bool = False) -> dict[str, str]:
    """A value for each option that `command` cannot do without, `every` one even where another would do."""
    needed = [option for option in command.options if option.required and (every or option.unless is None)]
    return {option.name: _sound(option.kind, file) for option in needed}


def _sound(kind: OptionKind, file: str) -> str:
    match kind:
        case OptionKind.FILE:
            return file
        case OptionKind.INTEGER | OptionKind.NUMBER:
            return "1"
        case OptionKind.SWITCH:
            return "on"
        case _:
            return "fox"
