"""Weights in prompts, read as AUTOMATIC1111 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRequest
from pipeline.text.prompt_weights import is_plain, plain_text, read_weights


def weights(prompt: str) -> list[tuple[str, float]]:
    return [(fragment.text, round(fragment.weight, 6)) for fragment in read_weights(prompt)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("red fox", [("red fox", 1)]),
        ("a (red:1.4) fox", [("a ", 1), ("red", 1.4), (" fox", 1)]),
        ("(red) fox", [("red", 1.1), (" fox", 1)]),
        ("((red)) fox", [("red", 1.21), (" fox", 1)]),
        ("[red] fox", [("red", 0.909091), (" fox", 1)]),
        ("(a (b:1.5) c:1.2)", [("a ", 1.2), ("b", 1.8), (" c", 1.2)]),
        ("([red]) fox", [("red fox", 1)]),
        ("(red : 0) fox", [("red ", 0), (" fox", 1)]),
        ("(:1.2)", []),
        ("", []),
    ],
)
def test_weights_are_read(prompt: str, expected: list[tuple[str, float]]) -> None:
    """Round brackets raise, square ones lower, a number says how much, and they multiply."""
    assert weights(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (":) a fox", ":) a fox"),
        ("a sad fox :(", "a sad fox :("),
        (r"fox \(animal\)", "fox (animal)"),
        (r"\[a\] \\ b\c", r"[a] \ b\c"),
        ("at 10:30) sharp", "at 10:30) sharp"),
        ("a ] b [ c", "a ] b [ c"),
        ("ratio 16:9", "ratio 16:9"),
    ],
)
def test_brackets_without_partners_and_escaped_ones_are_text(prompt: str, text: str) -> None:
    """A smile stays a smile."""
    assert is_plain(read_weights(prompt))
    assert plain_text(read_weights(prompt)) == text


def test_brackets_that_cross_go_to_the_outer_pair() -> None:
    """The inner one has lost its partner, so it is text."""
    assert weights("(a [b) c]") == [("a [b", 1.1), (" c]", 1)]


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("(fox:3)", "The weight of 'fox' is 3; use 0 to 2, or write"),
        ("(fox:-1)", "The weight of 'fox' is -1; use 0 to 2"),
        ("((fox:2):1.5)", "The weight of 'fox' is 3; use 0 to 2"),
        ("(fox:1.2.3)", r"'1\.2\.3' is not a weight; write one such as \(word:1\.2\)"),
        ("(meet at 10:30)", "The weight of 'meet at 10' is 30"),
        ("(" + "x" * 60 + ":5)", f"The weight of '{'x' * 40}…' is 5"),
    ],
)
def test_a_wrong_weight_is_one_sentence(prompt: str, sentence: str) -> None:
    """Which names the words, the weight and the way out."""
    with pytest.raises(InvalidRequest, match=sentence) as caught:
        read_weights(prompt, "negative prompt")

    assert caught.value.field == "negative prompt"


@given(st.text(alphabet="ab ()[]\\:.12", max_size=40))
def test_any_text_is_weights_within_the_limits_or_a_sentence(prompt: str) -> None:
    """However the brackets are nested or left open; what carries no mark is left as it is."""
    try:
        fragments = read_weights(prompt)
    except InvalidRequest:
        return
    assert all(0 <= fragment.weight <= 2.000001 for fragment in fragments)
    if not set(prompt) & set("()[]\\"):
        assert plain_text(fragments) == prompt
