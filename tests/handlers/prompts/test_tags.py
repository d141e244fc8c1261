"""Tags of LoRAs in every form that members bring: applied as they mean, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.prompts.tags import LoraMention, read_loras, refuse_loras
from pipeline.errors import InvalidRequest
from pipeline.requests.step_window import StepWindow


def style(unet: float | None = None, text: float | None = None, **more: object) -> LoraMention:
    return LoraMention(name="style", scale=unet, text_encoder_scale=text, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "mention"),
    [
        ("style", style()),
        ("style:.5", style(0.5)),
        ("style:1.", style(1.0)),
        ("style:+0.8", style(0.8)),
        ("style:-.5", style(-0.5)),
        ("style: 0.8", style(0.8)),
        ("style:0.8 ", style(0.8)),
        (" style : 0.8", style(0.8)),
        ("style：0.8", style(0.8)),
        ("style:0.80000000001", style(0.80000000001)),
        ("style.safetensors:1", style(1.0)),
        ('"style":1', style(1.0)),
        ("st\u200byle:1", style(1.0)),
        ("style:0.8:0.5", style(0.5, 0.8)),
        ("style:te=0.5:unet=1", style(1.0, 0.5)),
        ("style:unet=0.5", style(0.5, 1.0)),
        ("style:te=0.5", style(0.5)),
        ("style:0.8:unet=0.5", style(0.5, 0.8)),
        ("style:1:lbw=OUTALL", style(1.0, blocks="OUTALL")),
        ("style:1:1:lbw=1,0,0,0,1,1,1,1,1,1,1,1", style(1.0, 1.0, blocks="1,0,0,0,1,1,1,1,1,1,1,1")),
        ("style:1:MIDD", style(1.0, blocks="MIDD")),
        ("style:1:lbw= 1, 0 ,.5", style(1.0, blocks="1,0,.5")),
        ("style:1:in=0:mid=1:out=0", style(1.0, blocks="in=0:mid=1:out=0")),
        ("style:0.8,0.5", style(blocks="0.8,0.5")),
        ("style:1:start=5:stop=15", style(1.0, window=StepWindow(start=5, stop=15))),
        ("style:1:step=5-15", style(1.0, window=StepWindow(start=5, stop=15))),
        ("style:1:stop=0.5", style(1.0, window=StepWindow(stop=0.5))),
    ],
)
def test_the_forms_of_other_programs(body: str, mention: LoraMention) -> None:
    """AUTOMATIC1111's text encoders come before its UNet, and one number is for both."""
    for kind in ("lora", "LoRA", "lyco"):
        assert read_loras(f"a fox <{kind}:{body}> in snow") == ("a fox in snow", (mention,))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("fox <lora:>", "names no LoRA"),
        ("fox <lora::0.8>", "names no LoRA"),
        ("fox <lora:style:0.8", "is not closed"),
        ("<lora:style:0.8 fox <lora:ink:1>", "is not closed"),
        ("<lora:style:0.8\n> fox", "is not closed"),
        ("<hypernet:anime:0.5> fox", "hypernetwork"),
        ("<lora:style:1:1:8>", "a part of the LoRA's rank"),
        ("<lora:style:dyn=8>", "a part of the LoRA's rank"),
        ("<lora:style:strong!>", "is unclear"),
        ("<lora:style:nan=1>", "is unclear"),
        ("<lora:style:te=much>", "is unclear"),
        ("<lora:style:te=1:te=2>", "is unclear"),
        ("<lora:style:1:A:B>", "is unclear"),
        ("<lora:style:1:A:in=1>", "is unclear"),
        ("<lora:style:1:lbw=ALL:out=1>", "is unclear"),
        ("<lora:style:1:lbw=no!>", "is unclear"),
        ("<lora:style:1:lbw=>", "is unclear"),
        ("<lora:style:1:stop=2.5>", "cannot start or stop at step 2.5"),
        ("<lora:style:1:start=-1>", "cannot start or stop at step -1"),
        ("<lora:style:step=5>", "is unclear"),
        ("<lora style 0.8>", "looks like a LoRA"),
        ("</lora>", "looks like a LoRA"),
        ("fox lora:style:0.8> in snow", "looks like a LoRA"),
        ("fox (lora:style:0.8)", "looks like a LoRA"),
        ("fox withLora(style,0.8)", "looks like a LoRA"),
    ],
)
def test_what_looks_like_a_tag_and_is_none_is_refused(prompt: str, words: str) -> None:
    """By what was written, and with the form that is right."""
    with pytest.raises(InvalidRequest, match=words):
        read_loras(prompt)


@pytest.mark.parametrize(
    "prompt", ["a < b", "Lora: a girl at 5", "flora:fauna", "<3 lora", "portrait of lora", "a<b>c"]
)
def test_other_words_stay_as_they_are(prompt: str) -> None:
    assert read_loras(prompt) == (prompt, ())
    refuse_loras(prompt)


@pytest.mark.parametrize("prompt", ["bad <lora:style:1>", "<lyco:x", "<hypernet:x:1>", "lora:style:1"])
def test_no_tag_stands_in_a_negative_prompt(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match="stands in the negative prompt"):
        refuse_loras(prompt)


@given(st.text(alphabet="<>:lora lyco=.,-+0129te\n\u200b", max_size=40).map(lambda text: f"fox <lora:{text}"))
def test_no_tag_stays_in_the_prompt(prompt: str) -> None:
    """Whatever stands in it."""
    try:
        words, mentions = read_loras(prompt)
    except InvalidRequest:
        return
    assert mentions
    assert "<lora:" not in words
