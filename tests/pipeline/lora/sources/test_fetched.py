"""Untrusted text of a source's page."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.lora.sources.fetched import cleaned


@given(st.none() | st.text(max_size=3000))
def test_any_text_becomes_one_short_printable_line(text: str | None) -> None:
    """Or none."""
    line = cleaned(text)

    assert line is None or (line.isprintable() and 0 < len(line) <= 200 and line == line.strip())


def test_words_stay_apart() -> None:
    """Where a line or a tab was between them."""
    assert cleaned("  red\n\tfox\u200b ") == "red fox"
    assert cleaned("\n \0") is None
