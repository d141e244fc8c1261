"""Sizes from aspect ratios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRequest
from pipeline.requests.aspect_ratio import ASPECTS, size_for


@pytest.mark.parametrize(
    ("aspect", "native", "size"),
    [("1:1", 1024, (1024, 1024)), ("16:9", 1024, (1344, 768)), ("2:3", 512, (448, 640)), ("1:1", 128, (128, 128))],
)
def test_sizes_are_those_that_models_were_trained_on(aspect: str, native: int, size: tuple[int, int]) -> None:
    """SDXL's 16:9 bucket is 1344x768."""
    assert size_for(aspect, native) == size


@given(st.sampled_from(ASPECTS), st.sampled_from([128, 512, 768, 1024]))
def test_every_size_keeps_the_area_and_fits_the_latents(aspect: str, native: int) -> None:
    """The area stays within a third of the native one, and every side is a multiple of 8."""
    width, height = size_for(aspect, native)

    assert width % 8 == 0
    assert height % 8 == 0
    assert 2 / 3 < width * height / native**2 < 4 / 3


@pytest.mark.parametrize("aspect", ["", "wide", "0:1", "5:1", "1:9", "16:9:2"])
def test_unclear_ratios_are_refused(aspect: str) -> None:
    """The sentence shows how to write one."""
    with pytest.raises(InvalidRequest, match="write it as 16:9"):
        size_for(aspect, 1024)
