"""What a prompt says at each step, as AUTOMATIC1111 reads it."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRequest
from pipeline.text.prompt_schedule import read_schedule, texts_by_step
from pipeline.text.prompt_weights import read_weights
from tests.pipeline.conftest import a_request

STEPS = 10
# What AUTOMATIC1111 makes of them in ten steps: each text with the last step that it stands for.
KNOWN = {
    "test": [(10, "test")],
    "a [b:3]": [(3, "a "), (10, "a b")],
    "a [b: 3]": [(3, "a "), (10, "a b")],
    "a [[[b]]:2]": [(2, "a "), (10, "a [[b]]")],
    "[(a:2):3]": [(3, ""), (10, "(a:2)")],
    "a [b : c : 1] d": [(1, "a b  d"), (10, "a  c  d")],
    "a[b:[c:d:2]:1]e": [(1, "abe"), (2, "ace"), (10, "ade")],
    "a [unbalanced": [(10, "a [unbalanced")],
    "a [b:.5] c": [(5, "a  c"), (10, "a b c")],
    "((a][:b:c [d:3]": [(3, "((a][:b:c "), (10, "((a][:b:c d")],
    "[a|(b:1.1)]": [(step, "(b:1.1)" if step % 2 == 0 else "a") for step in range(1, 11)],
    "[fe|]male": [(step, "male" if step % 2 == 0 else "female") for step in range(1, 11)],
    "[a::0.35]b": [(3, "ab"), (10, "b")],
    "(sky:[1.1:1.4:4])": [(4, "(sky:1.1)"), (10, "(sky:1.4)")],
    "[a|b:3] [c:d]": [(10, "[a|b:3] [c:d]")],
    "[a (b:c:3] [d) e:3]": [(10, "[a (b:c:3] [d) e:3]")],
    r"\[a:b:3\] [c\|d] [e\]|f:1.5": [(10, r"\[a:b:3\] [c\|d] [e\]|f:1.5")],
    "[<lora:x:0.5>] [16:9:]": [(10, "[<lora:x:0.5>] [16:9:]")],
    "[a:b:0] [c:d:99] [e:-2]": [(10, "b c e")],
    "[a:b:1.0] [c:d:1] [e::1.5] [f:0.0]": [(1, "a c e f"), (10, "a d e f")],
    "[a:b:+.3][c::-.5]": [(3, "a"), (10, "b")],
    "[< lora : x:0.5> a:b:3]": [(3, "< lora : x:0.5> a"), (10, "b")],
}


@pytest.mark.parametrize("prompt", KNOWN)
def test_texts_are_those_of_automatic1111(prompt: str) -> None:
    runs = [
        (text, list(steps)) for text, steps in groupby(enumerate(read_schedule(prompt).texts(STEPS)), lambda x: x[1])
    ]

    assert [(steps[-1][0] + 1, text) for text, steps in runs] == KNOWN[prompt]


def test_alternations_inside_each_other_take_turns_by_the_same_steps() -> None:
    assert read_schedule("[a|[b|c]]").texts(5) == ("a", "c", "a", "c", "a")
    assert read_schedule("[[a|b]:c:2]").texts(4) == ("a", "b", "c", "c")


@given(st.text("ab[]()|:0.5\\", max_size=40), st.integers(1, 9))
def test_what_is_inside_no_known_brackets_stays(prompt: str, steps: int) -> None:
    """Nothing is invented, and a text that says always the same is what was typed."""
    texts = read_schedule(prompt).texts(steps)

    assert len(texts) == steps
    assert all(set(text) <= set(prompt) for text in texts)
    if "[" not in prompt or "]" not in prompt:
        assert set(texts) == {prompt}


def test_brackets_may_be_nested_at_will() -> None:
    assert read_schedule("[" * 400 + "a" + ":1]" * 400).texts(2) == ("", "a")
    assert read_weights(read_schedule("[" * 900 + "a" + "]" * 900).at(0, 1))[0].text == "a"


def test_only_so_many_different_texts_are_kept() -> None:
    """Both prompts together, and the negative one only where it is read."""
    many = "[" + "|".join("abcdefgh") + "]"
    whole = a_request(prompt=many, negative_prompt="[x|y|z]", steps=30)

    assert len(set(texts_by_step(a_request(prompt=many, steps=30)))) == 8
    assert len(set(texts_by_step(a_request(prompt=many, negative_prompt="[x|y|z]", steps=30, guidance_scale=1)))) == 8
    with pytest.raises(InvalidRequest, match=r"stand for 24 different texts; the limit is 16, so write fewer"):
        texts_by_step(whole)
