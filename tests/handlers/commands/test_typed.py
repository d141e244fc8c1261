"""The gate in front of every parser, and what stands behind it: nothing that can be typed takes long to read."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack.text_commands import TextCommand, plain_words, readable_values
from handlers.commands.arguments import read_options
from handlers.commands.groups import split_call, unknown
from handlers.commands.parsing import parse_text
from handlers.commands.typed import MAX_LINE, check_typed, file_name, is_typed
from handlers.images.edit import COMMAND as EDIT
from handlers.images.extra_controls import more_controls
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.prompts.loras import read_mentions
from handlers.prompts.syntax import expand, read_subjects
from handlers.prompts.tags import read_loras
from handlers.registry import COMMANDS
from handlers.training.train import SUBJECT
from pipeline.errors import InvalidRequest, UserError
from pipeline.lora.sources.links import read_link
from pipeline.requests.aspect_ratio import size_for
from pipeline.text.prompt_schedule import read_schedule
from pipeline.text.prompt_weights import read_weights
from tests.hostile import LONG, VALUES
from tests.tiers import examples

PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "variants": expand,
    "weights": lambda text: read_weights(text[:20_000]),
    "changes": lambda text: read_schedule(text).texts(2),
    "LoRA tags": read_loras,
    "subjects": read_subjects,
    "LoRA names": read_mentions,
    "aspect ratio": lambda text: size_for(text, 128),
    "controls": lambda text: more_controls(text, "key", None),
    "link": read_link,
    "flags": lambda text: read_options(IMAGINE, parse_text(IMAGINE, text)),
    "flags of a command with files": lambda text: read_options(EDIT, parse_text(EDIT, text)),
    "flags of training": lambda text: read_options(SUBJECT, parse_text(SUBJECT, text)),
    "command": lambda text: split_call(text, COMMANDS),
    "unknown command": lambda text: unknown(text, COMMANDS),
    "Slack's markup": lambda text: plain_words(TextCommand(command=IMAGINE, text=text)),
    "Slack's form": lambda text: readable_values(TextCommand(command=EDIT, text=text)),
}
"""Every way in which text of a member's is read, in front of the gate or behind it."""

_SECONDS: Final = 2.0
"""For a hundred thousand characters, on a busy machine; what is quadratic takes minutes."""


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
def test_a_parser_ends_soon_even_without_the_gate(parser: Callable[[str], object]) -> None:
    """Text of a hundred thousand characters costs no more than a linear way through it, or a sentence."""
    for text in (*VALUES[::3], *LONG):
        assert _seconds(parser, text) < _SECONDS, text[:40]


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@given(text=st.text(alphabet='a1 {|}()[]<>@:,.-—="\\/#_\n\0\ud800🦊lora', max_size=400), times=st.integers(1, 60))
@settings(max_examples=examples(40))
def test_no_pattern_that_is_repeated_takes_long(parser: Callable[[str], object], text: str, times: int) -> None:
    """Whatever brackets, signs and numbers stand in it."""
    assert _seconds(parser, text * times) < _SECONDS


def _seconds(parser: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    with suppress(UserError):
        parser(text)
    return time.process_time() - start


@pytest.mark.parametrize("text", ["fox\x00", "\x1b[2J", "a\ud800", "\udcff", "\x7f", "\x9b"])
def test_what_is_no_text_is_refused_without_being_repeated(text: str) -> None:
    """No database, terminal or network has to meet it."""
    with pytest.raises(InvalidRequest, match=r"holds a character that is no text \(U\+[0-9A-F]{4}\)") as refusal:
        check_typed(text)
    assert str(refusal.value).isprintable()
    assert not is_typed(text)


@pytest.mark.parametrize(
    "text", ["a\tb\r\nc\vd", "füchse 🦊", "\u202eright", "e\u0301" * 9, "x" * MAX_LINE, " " * 99_999]
)
def test_what_somebody_could_have_written_passes(text: str) -> None:
    """White space, every script, and as much as a command with all its options."""
    assert is_typed(text)


def test_a_files_name_is_cleaned_and_keeps_its_ending() -> None:
    """Nobody chooses what their camera calls a file, so it is not refused."""
    assert file_name("a\0\ud800.png") == "a\ufffd\ufffd.png"
    assert file_name("x" * 999 + ".png").endswith("x.png")
    assert len(file_name("x" * 999)) == 255
