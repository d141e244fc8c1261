"""An image's metadata survives its file, and a hostile file costs one sentence."""

import io
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import InvalidRequest, UserError
from pipeline.images.metadata import ImageMetadata, encode, read
from pipeline.images.png_text import write_png
from pipeline.images.programs.infotext import read_infotext
from pipeline.requests.freeu import FreeU
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler, Variation
from pipeline.requests.sampler_names import spacing_of, split_name
from pipeline.requests.spacing import Spacing
from pipeline.requests.step_window import StepWindow
from tests import fakes

TEAL = Image.new("RGB", (8, 8), "teal")
PLAIN = write_png(TEAL, {})


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
loras = st.builds(
    LoraUse,
    key=texts,
    name=texts,
    scale=st.floats(-2, 2),
    text_encoder_scale=st.none() | st.floats(-2, 2),
    blocks=st.none() | texts,
    window=st.none()
    | st.builds(StepWindow, start=st.none() | st.integers(1, 150), stop=st.none() | st.floats(0, 0.99)),
)
requests = st.builds(
    ImageRequest,
    prompt=texts.filter(str.strip),
    negative_prompt=texts,
    width=st.integers(8, 512).map(lambda eighths: 8 * eighths),
    height=st.integers(8, 512).map(lambda eighths: 8 * eighths),
    steps=st.integers(1, 150),
    guidance_scale=st.floats(0, 30),
    guidance_rescale=st.floats(0, 1),
    pag_scale=st.floats(0, 15),
    vae=st.none() | texts,
    freeu=st.none() | st.builds(FreeU, **dict.fromkeys(("b1", "b2", "s1", "s2"), st.floats(0.05, 3))),
    clip_skip=st.integers(1, 12),
    guidance_window=st.none() | st.builds(StepWindow, start=st.floats(0, 0.5), stop=st.none() | st.floats(0.5, 0.99)),
    scheduler=st.sampled_from(Scheduler),
    spacing=st.sampled_from(Spacing),
    seed=st.integers(0, 2**32 - 1),
    model=texts,
    loras=st.lists(loras, max_size=3).map(tuple),
)
infos = st.builds(
    ImageMetadata,
    made_from=requests,
    model_name=texts,
    model_hash=texts,
    bucket=st.integers(1, 64),
    device=texts,
    dtype=texts,
    versions=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
)


@given(infos)
def test_metadata_is_read_as_it_was_written(info: ImageMetadata) -> None:
    """Whatever the words, and with the pixels untouched."""
    file = encode(TEAL, info)

    assert read(file) == info
    assert read(file).request().bucket == info.bucket
    assert Image.open(io.BytesIO(file)).tobytes() == TEAL.tobytes()


def an_info(**changes: Any) -> ImageMetadata:
    request: dict[str, Any] = {
        "prompt": "red fox",
        "negative_prompt": "blurry",
        "width": 512,
        "height": 768,
        "steps": 20,
        "guidance_scale": 7.0,
        "seed": 5,
        "model": "pocket",
        "scheduler": Scheduler.EULER_A,
        "loras": (LoraUse(key="k", name="pixel", scale=0.8),),
    }
    return ImageMetadata(
        made_from=ImageRequest(**{**request, **changes}),
        model_name="my, model",
        model_hash="0123456789",
        bucket=2,
        device="CPU AVX2",
        dtype="float32",
        versions=(("limner", "0.1.0"),),
    )


def test_the_parameters_are_those_of_automatic1111() -> None:
    """Prompt, negative prompt and one line of settings, as Civitai and others read them."""
    shown = Image.open(io.BytesIO(encode(TEAL, an_info()))).info["parameters"]

    assert shown == (
        "red fox <lora:pixel:0.8>\n"
        "Negative prompt: blurry\n"
        "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x768, Model hash: 0123456789, "
        'Model: "my, model", RNG: CPU, Version: limner 0.1.0'
    )


def test_clip_skip_is_written_where_it_is_not_the_models_own() -> None:
    """In AUTOMATIC1111's words and as it counts."""
    assert "Clip skip" not in an_info().parameters()
    assert ", Size: 512x768, Clip skip: 2, Model hash" in an_info(clip_skip=2).parameters()


def test_a_vae_of_ones_own_is_named() -> None:
    """In the place where AUTOMATIC1111 has it."""
    assert "VAE" not in an_info().parameters()
    assert ', VAE: "soft, new", Model hash' in an_info(vae="soft, new").parameters()


def test_guidance_of_other_kinds_is_written_as_forge_does() -> None:
    """Only where it is not the usual."""
    freeu = FreeU(b1=1.3, b2=1.4, s1=0.9, s2=0.2)
    window = StepWindow(stop=0.8)
    info = an_info(pag_scale=2.5, guidance_rescale=0.7, freeu=freeu, guidance_window=window)

    assert "CFG Rescale" not in an_info().parameters()
    assert dict(read_infotext(info.parameters()).options) == {
        "guidance_rescale": "0.7", "guidance_window": "0-0.8", "pag": "2.5", "freeu": str(freeu),
    }  # fmt: skip
    assert (
        ", CFG Rescale: 0.7, Guidance window: 0-0.8, pag_enabled: True, pag_scale: 2.5, "
        "freeu_enabled: True, freeu_b1: 1.3, freeu_b2: 1.4, freeu_s1: 0.9, freeu_s2: 0.2, Model hash"
    ) in info.parameters()


@pytest.mark.parametrize("scheduler", Scheduler)
@pytest.mark.parametrize("spacing", Spacing)
def test_the_sampler_is_read_back_from_the_parameters(scheduler: Scheduler, spacing: Spacing) -> None:
    """The spacing apart, as AUTOMATIC1111 writes it; what the model's config says has no name there."""
    settings = an_info(scheduler=scheduler, spacing=spacing).parameters().splitlines()[-1].split(", ")
    values = dict(setting.split(": ", 1) for setting in settings if ": " in setting)

    assert split_name(values["Sampler"]) == (scheduler, None)
    assert spacing_of(values.get("Schedule type", "normal")) == spacing
    if spacing is Spacing.KARRAS:
        assert settings[1:3] == [f"Sampler: {scheduler.label}", "Schedule type: Karras"]


def test_a_lora_is_named_by_its_whole_tag() -> None:
    """As programs that know its parts read them, the text encoders' scale first."""
    use = LoraUse(
        key="k", name="pixel", scale=0.8, text_encoder_scale=0.5, blocks="OUTALL", window=StepWindow(start=5, stop=0.75)
    )

    words, *_ = an_info(loras=(use,)).parameters().splitlines()

    assert words == "red fox <lora:pixel:0.5:0.8:lbw=OUTALL:start=5:stop=0.75>"


def test_words_beyond_latin_1_are_readable_elsewhere() -> None:
    """As international text."""
    file = encode(TEAL, an_info(prompt="狐 ♥", loras=()))

    assert Image.open(io.BytesIO(file)).info["parameters"].startswith("狐 ♥\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_metadata_or_a_sentence(noise: bytes) -> None:
    """Never another error."""
    for hostile in (noise, PLAIN[:33] + noise, PLAIN[: len(noise) + 30]):
        with pytest.raises(UserError):
            read(hostile)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2, "image": null}',
        '{"format": 1, "image": {"bucket": 1}}',
        "[" * 100_000,
        '{"format": 1e999}',
    ],
)
def test_damaged_metadata_is_one_sentence(text: str) -> None:
    """Bad JSON, missing fields, wrong types, deep nesting."""
    with pytest.raises(UserError, match="send the original file"):
        read(write_png(TEAL, {"limner": text}))


def test_metadata_obeys_the_limits_of_a_request() -> None:
    """A file cannot ask for what a member cannot."""
    file = encode(TEAL, an_info())
    length = struct.unpack(">I", file[33:37])[0]
    second = 33 + 12 + length
    size = struct.unpack(">I", file[second : second + 4])[0]
    body = file[second + 8 : second + 8 + size]
    metadata = json.loads(body.split(b"\0", 1)[1])
    metadata["image"]["made_from"]["steps"] = 100_000

    with pytest.raises(InvalidRequest, match="steps is 100000; use 1 to 150"):
        read(write_png(TEAL, {"limner": json.dumps(metadata)}))


def test_an_image_without_metadata_says_so() -> None:
    """Chats remove text chunks."""
    with pytest.raises(UserError, match="does not say how"):
        read(PLAIN)


@pytest.mark.parametrize(
    ("variations", "words"),
    [
        ((), "Size: 64x64, Model hash"),
        ((Variation(seed=8, strength=0.15),), "Variation seed: 8, Variation seed strength: 0.15, "),
        ((Variation(seed=8, strength=0.15), Variation(seed=9, strength=0.45)), "Variations: 8:0.15 9:0.45, "),
    ],
)
def test_variations_are_named(variations: tuple[Variation, ...], words: str) -> None:
    """One in AUTOMATIC1111's own words; several, which it has no words for, in ours."""
    info = read(fakes.png(fakes.request(variations=variations)))

    assert words in info.parameters()
    assert info.request().variations == variations


def test_the_hashes_of_loras_are_written_as_automatic1111_does() -> None:
    """Where they are known; it reads them back."""
    loras = (LoraUse(key="a", name="crayon", hash="0123456789ab"), LoraUse(key="b", name="film"))

    text = an_info(loras=loras).parameters()

    assert ', Lora hashes: "crayon: 0123456789ab", ' in text
    assert [each.hash for each in read_infotext(text).loras] == ["0123456789ab", ""]
