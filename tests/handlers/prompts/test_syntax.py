"""What members of other tools write into a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.prompts.syntax import MAX_PROMPTS, LoraMention, expand, read_loras
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


@given(st.text(alphabet="ab{}|", max_size=40))
def test_any_text_gives_at_most_the_limit_or_a_sentence(prompt: str) -> None:
    """However the braces are nested or left open."""
    try:
        prompts = expand(prompt)
    except InvalidRequest:
        return
    assert 1 <= len(prompts) <= MAX_PROMPTS


@pytest.mark.parametrize(
    ("prompt", "words", "loras"),
    [
        ("red fox", "red fox", ()),
        ("fox <lora:ink:0.8>, snow", "fox , snow", (LoraMention(name="ink", scale=0.8),)),
        ("<LoRA:ink> <lora:old film:-1>", "", (LoraMention(name="ink"), LoraMention(name="old film", scale=-1.0))),
        ("a < b <lora:>", "a < b <lora:>", ()),
    ],
)
def test_loras_are_read_out_of_the_prompt(prompt: str, words: str, loras: tuple[LoraMention, ...]) -> None:
    """As AUTOMATIC1111 writes them; where there is no scale, the library's own is meant."""
    assert read_loras(prompt) == (words, loras)
