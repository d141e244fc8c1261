"""The request of a second pass."""

from dataclasses import replace

import pytest

from handlers.images.hires_fix import second_pass, upscaled
from pipeline.requests.image_request import Variation
from storage.queue.images import StoredImage
from tests.app_contexts import FACTS
from tests.fakes import request

IMAGE = StoredImage(
    id=1, job_id=1, index=0, blob="key", width=64, height=40, seed=7, parameters="", note="", created_at=0.0, nsfw=False
)


def test_the_image_is_drawn_over_at_twice_its_size() -> None:
    """Alone, and no longer as a variation: what it shows is decided by now."""
    made = upscaled(request(count=4, variations=(Variation(seed=1, strength=0.2),), steps=20), IMAGE, FACTS)

    assert (made.width, made.height, made.count, made.variations, made.controls) == (128, 80, 1, (), ())
    assert made.start is not None
    assert (made.start.image, made.start.strength) == ("key", FACTS.upscale_strength)


@pytest.mark.parametrize("steps", [1, 3, 7, 49, 150])
def test_at_least_one_step_is_made(steps: int) -> None:
    """However little the model bears."""
    facts = replace(FACTS, upscale_strength=0.001)

    assert second_pass(request(steps=steps), "key", (128, 128), facts).steps_made == 1


def test_a_size_is_cut_to_what_latents_have() -> None:
    made = second_pass(request(), "key", (150, 93), FACTS, strength=0.9)

    assert (made.width, made.height) == (144, 88)
    assert made.start is not None
    assert made.start.strength == 0.9
