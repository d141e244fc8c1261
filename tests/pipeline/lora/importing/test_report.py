"""What the card of a LoRA is made of."""

import pytest

from pipeline.lora.importing.report import clean, trigger_words


def test_untrusted_words_lose_what_a_chat_would_obey() -> None:
    """Mentions, LoRA tags, control and zero-width characters."""
    assert trigger_words({"modelspec.trigger_phrase": "@everyone, <lora:x:9>,\u200b a  b\n, "}) == (
        "everyone",
        "lora:x:9",
        "a b",
    )
    assert clean("x" * 99, 5) == "xxxxx"


@pytest.mark.parametrize("empty", ["", " , ", "None", "[]", '""'])
def test_words_that_say_nothing_hide_no_tags(empty: str) -> None:
    tags = {"ss_tag_frequency": '{"1_trg": {"trg": 10, "hat": 2}}'}

    assert trigger_words({"modelspec.trigger_phrase": empty, **tags}) == ("trg",)
    assert trigger_words({"modelspec.trigger_phrase": empty, "trigger_words": '["wax", "ink"]', **tags}) == (
        "wax",
        "ink",
    )


@pytest.mark.parametrize("tags", ["", "[", "[1]", '{"a": 3}', '{"a": {"b": "many"}}', '{"a": {"b": 1e999}}'])
def test_damaged_tags_are_no_tags(tags: str) -> None:
    """A trainer's count of tags is only a hint."""
    assert trigger_words({"ss_tag_frequency": tags}) == ()
