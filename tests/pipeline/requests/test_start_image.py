"""An image to begin with checks itself, and knows which images it is made of."""

import math

import pytest

from pipeline.errors import InvalidRequest
from pipeline.requests.start_image import StartImage


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"strength": 1.1}, "strength", "use 0 to 1"),
        ({"strength": math.nan}, "strength", "use 0 to 1"),
        ({"feather": 65}, "feather", "use 0 to 64"),
        ({"padding": 513}, "padding", "use 0 to 512"),
        ({"mask_of": "x" * 101}, "mask-of", "more than 100 characters"),
        ({"mask": "m", "mask_of": "sky"}, "mask-of", "leave out one of them"),
    ],
)
def test_each_limit_has_its_sentence(changes: dict[str, object], field: str, sentence: str) -> None:
    """With the field's name and its limit."""
    with pytest.raises(InvalidRequest, match=sentence) as caught:
        StartImage(image="i", **changes)  # type: ignore[arg-type]  # by name

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("start", "is_masked", "keys"),
    [
        (StartImage(image="i"), False, ("i",)),
        (StartImage(image="i", mask="m"), True, ("i", "m")),
        (StartImage(image="i", mask_of="sky"), True, ("i",)),
    ],
)
def test_a_mask_is_an_image_or_words(start: StartImage, *, is_masked: bool, keys: tuple[str, ...]) -> None:
    """Either leaves a part as it is; only an image has a key."""
    assert (start.is_masked, start.image_keys) == (is_masked, keys)
