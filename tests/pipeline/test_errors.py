"""The checks that name a limit, and what is left of a sentence for people who do not run the machine."""

import math

import pytest

from pipeline.errors import InvalidRequest, check_range, check_text, without_places


@pytest.mark.parametrize("value", [-1, 11, 10**30, 10**400, -(10**400), math.inf, -math.inf, math.nan])
def test_a_number_of_any_size_is_out_of_range_in_a_sentence(value: float) -> None:
    """Integers may be too large for a float."""
    with pytest.raises(InvalidRequest, match=r"steps is .{1,20}; use 0 to 10\.") as refusal:
        check_range("steps", value, 0, 10)
    assert refusal.value.field == "steps"


@pytest.mark.parametrize("value", [0, 10, 2.5])
def test_a_number_within_its_range_passes(value: float) -> None:
    """The limits are included."""
    check_range("steps", value, 0, 10)


def test_what_is_no_text_is_named_and_not_repeated() -> None:
    with pytest.raises(InvalidRequest, match=r"The name holds a character that is no text \(U\+0007\)"):
        check_text("name", "a\a")
    check_text("name", "a\n\t🦊")


@pytest.mark.parametrize(
    ("sentence", "public"),
    [
        ("The database at db.example.org:5432/limner is slow", "The database at its address is slow"),
        ("The database at db:5432/limner is slow", "The database at its address is slow"),
        ("Cannot connect to host 10.0.0.7:8420 ssl:default", "Cannot connect to host its address ssl:default"),
        ("Cannot connect to localhost:11434", "Cannot connect to its address"),
        ("Connect call failed ('127.0.0.1', 5432)", "Connect call failed ('its address', 5432)"),
        ("http://[::1]:5432 is closed", "http://its address is closed"),
        ("[Errno 13] Permission denied: '/srv/data x/fox.png'", "[Errno 13] Permission denied: 'fox.png'"),
        ("[Errno 2] No such file: '/data'", "[Errno 2] No such file: 'data'"),
        ("/srv/models/sdxl.safetensors is damaged; pull it again.", "sdxl.safetensors is damaged; pull it again."),
        ("~/.cache/x/model is damaged", "model is damaged"),
        ("missing from /srv/blobs; restore it", "missing from blobs; restore it"),
    ],
)
def test_places_are_left_out(sentence: str, public: str) -> None:
    """A path is known by its last name, an address not at all."""
    assert without_places(sentence) == public


@pytest.mark.parametrize(
    "sentence",
    [
        "/lora list shows those that there are; /train subject or /train style teaches one.",
        "type /invite @Limner there",
        "red/blue fox, crayon:0.8 and 16:9 at 12:30:55",
        "add discord:123456789012345678 to LIMNER_GUILDS",
        "accept its terms on huggingface.co, then set HF_TOKEN",
        "see https://example.org/a/b",
        "model stabilityai/stable-diffusion-xl-base-1.0 is not served here",
        "<lora:crayon:0.8> and </lora:5>",
        "1024×1024 is too large; stay within 512×512.",
    ],
)
def test_what_is_no_place_stays(sentence: str) -> None:
    """Commands, LoRAs, ratios, times, links that a member can open."""
    assert without_places(sentence) == sentence


def test_without_commands_a_word_behind_a_slash_is_a_folder() -> None:
    """As where a machine asks whether we are ready."""
    assert without_places("Model '/m' is not at /m; look there", commands=False) == "Model 'm' is not at m; look there"
