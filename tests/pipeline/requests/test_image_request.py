"""A request checks itself, and says which field breaks which limit."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import MAX_SEED, LoraUse, Scheduler
from pipeline.requests.start_image import StartImage
from tests.pipeline.conftest import a_request


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"prompt": "  "}, "prompt", "The prompt is empty"),
        ({"prompt": "x" * 2001}, "prompt", "2001 characters; the limit is 2000"),
        ({"negative_prompt": "x" * 2001}, "negative prompt", "the limit is 2000"),
        ({"width": 100}, "width", "not a multiple of 8; use 96 or 104"),
        ({"height": 32}, "height", "height is 32; use 64 to 4096"),
        ({"height": 8192}, "height", "use 64 to 4096"),
        ({"steps": 0}, "steps", "use 1 to 150"),
        ({"steps": 151}, "steps", "use 1 to 150"),
        ({"count": 5}, "count", "use 1 to 4"),
        ({"guidance_scale": math.nan}, "guidance", "use 0 to 30"),
        ({"guidance_scale": math.inf}, "guidance", "use 0 to 30"),
        ({"guidance_rescale": 1.5}, "guidance rescale", "use 0 to 1"),
        ({"clip_skip": 0}, "clip skip", "use 1 to 12"),
        ({"pag_scale": 16}, "pag", "use 0 to 15"),
        ({"seed": -1}, "seed", "use 0 to"),
        ({"bucket": 0}, "bucket", "use 1 to 64"),
        ({"loras": tuple(LoraUse(key=str(n), name=str(n)) for n in range(9))}, "number of LoRAs", "use 0 to 8"),
    ],
)
def test_each_limit_has_its_sentence(changes: dict[str, object], field: str, sentence: str) -> None:
    """With the field's name and its limit."""
    with pytest.raises(InvalidRequest, match=sentence) as caught:
        a_request(**changes)

    assert caught.value.field == field


@pytest.mark.parametrize("scale", [10.5, -10.1, math.nan])
def test_a_lora_scale_has_limits(scale: float) -> None:
    """For the UNet and for the text encoders."""
    with pytest.raises(InvalidRequest, match="use -10 to 10"):
        LoraUse(key="k", name="pixel", scale=scale)
    with pytest.raises(InvalidRequest, match="use -10 to 10"):
        LoraUse(key="k", name="pixel", text_encoder_scale=scale)


@pytest.mark.parametrize("steps", range(1, 151))
def test_the_strength_that_is_advised_is_taken(steps: int) -> None:
    """At every number of steps; a little below it none would be made."""
    with pytest.raises(InvalidRequest, match=f"too low for {steps} steps") as caught:
        a_request(steps=steps, start=StartImage(image="start", strength=0.0))
    advised = re.search(r"use ([\d.]+) or more", str(caught.value))
    assert advised is not None

    request = a_request(steps=steps, start=StartImage(image="start", strength=float(advised[1])))

    assert request.steps_made >= 1
    assert float(advised[1]) < 1 / steps + 0.01


def test_an_unknown_scheduler_names_those_that_exist() -> None:
    """And known ones are found in any case."""
    assert Scheduler.parse(" Euler-A ") is Scheduler.EULER_A
    with pytest.raises(InvalidRequest, match="choose one of: euler, euler-a"):
        Scheduler.parse("karras")


@given(seed=st.integers(0, MAX_SEED), count=st.integers(1, 4))
def test_images_of_one_request_have_seeds_that_count_up(seed: int, count: int) -> None:
    """Around the end of the range too."""
    images = a_request(seed=seed, count=count).images()

    assert [image.seed for image in images] == [(seed + index) % 2**32 for index in range(count)]
    assert {image.count for image in images} == {1}
