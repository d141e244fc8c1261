"""What is too long for every tokenizer is known before one is asked, and nothing else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import LoraUse
from pipeline.text.prompt_length import MAX_WINDOWS, check_lengths
from pipeline.text.prompt_weights import plain_text, read_weights
from tests.pipeline.conftest import a_request
from tests.pipeline.tiny_models import POCKET

TOKENIZERS = [
    CLIPTokenizer.from_pretrained(POCKET / "tokenizer"),
    CLIPTokenizer.from_pretrained(POCKET / "tokenizer_2", pad_token="!"),
]
PIECES = [
    "a ",
    "!",
    "fox's ",
    "1",
    "_",
    "e\u0301",
    "\u0130",
    "\u6f22",
    "<|endoftext|>",
    " it'LL",
    "\u00b2\u00bd",
    "\U0001f600",
    "-",
]


@pytest.mark.parametrize("field", ["prompt", "negative prompt"])
def test_both_prompts_have_the_same_limit(field: str) -> None:
    """A negative prompt counts only where there is guidance."""
    texts = {"prompt": "fox", "negative_prompt": "", field.replace(" ", "_"): "a, " * 400}

    with pytest.raises(InvalidRequest, match=f"The {field} takes at least 11 windows of 75 tokens; shorten it to 8"):
        check_lengths(a_request(**texts))
    if field == "negative prompt":
        check_lengths(a_request(**texts, guidance_scale=1.0))


def test_with_a_lora_only_the_device_can_tell() -> None:
    """A word that it teaches may take fewer tokens than it has letters."""
    check_lengths(a_request(prompt="a, " * 400, loras=(LoraUse(key="a", name="a"),)))


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.integers(1, 400)), min_size=1, max_size=6))
def test_what_is_refused_is_too_long_for_each_tokenizer(parts: list[tuple[str, int]]) -> None:
    """Whatever it is written with."""
    text = "".join(piece * count for piece, count in parts)[:1999]
    try:
        check_lengths(a_request(prompt=f"{text}a"))
    except InvalidRequest:
        words = plain_text(read_weights(f"{text}a"))
        for tokenizer in TOKENIZERS:
            assert len(tokenizer(words, verbose=False).input_ids) - 2 > MAX_WINDOWS * 75
