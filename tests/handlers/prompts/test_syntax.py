"""What members of other tools write into a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.prompts.syntax import MAX_PROMPTS, expand, read_subjects, with_words
from handlers.prompts.tags import LoraMention
from pipeline.errors import InvalidRequest


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("red fox", ("red fox",)),
        ("{red|blue} fox", ("red fox", "blue fox")),
        ("{a|b} {c|d}", ("a c", "a d", "b c", "b d")),
        ("{a|{b|c}} fox", ("a fox", "b fox", "c fox")),
        ("{red|red} fox", ("red fox",)),
        ("{red} fox", ("{red} fox",)),
        ("(snow:1.2) | {", ("(snow:1.2) | {",)),
        ("{[a|b]|c}", ("[a|b]", "c")),
        ("[{a|b}|c]", ("[a|c]", "[b|c]")),
        (r"{\[a|b]} [c", (r"\[a [c", "b] [c")),
        ("{a [|b}] {c|d}", ("a [] c", "a [] d", "b] c", "b] d")),
    ],
)
def test_choices_stand_for_several_prompts(prompt: str, prompts: tuple[str, ...]) -> None:
    """In order, each once; braces without a bar and weights are left alone."""
    assert expand(prompt) == prompts


def test_too_many_are_refused_before_they_are_made() -> None:
    """Sixteen choices of sixteen would be more than anybody meant."""
    many = "{" + "|".join("abcdefghijklmnop") + "}"

    assert len(expand(many)) == MAX_PROMPTS
    with pytest.raises(InvalidRequest, match="stands for 256 prompts; the limit is 16"):
        expand(many + many)
    with pytest.raises(InvalidRequest, match="stands for 17 prompts"):
        expand("{z|" + many + "}")


@given(st.text(alphabet="ab{}[]|", max_size=40))
def test_any_text_gives_at_most_the_limit_or_a_sentence(prompt: str) -> None:
    """However the braces are nested or left open."""
    try:
        prompts = expand(prompt)
    except InvalidRequest:
        return
    assert 1 <= len(prompts) <= MAX_PROMPTS


@pytest.mark.parametrize(
    ("prompt", "scale"),
    [("@rex", None), ("@rex:.5 runs", 0.5), ("@rex:+0.8.", 0.8), ("@rex:-1", -1.0), ("@rex:2.", 2.0)],
)
def test_a_subject_has_one_scale(prompt: str, scale: float | None) -> None:
    """A point after it ends the sentence; a second number is refused."""
    assert read_subjects(prompt) == (LoraMention(name="rex", scale=scale),)
    assert ":" not in with_words(prompt, {"rex": "a dog"})
    with pytest.raises(InvalidRequest, match="@rex takes one scale"):
        read_subjects("@rex:0.8:0.5")
