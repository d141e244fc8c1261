"""Sizes from aspect ratios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRequest
from pipeline.requests.aspect_ratio import ASPECTS, size_for, size_like, size_over


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


@pytest.mark.parametrize(
    ("size", "native", "drawn"),
    [
        ((192, 128), 128, (192, 128)),
        ((256, 256), 128, (256, 256)),
        ((250, 70), 128, (256, 72)),
        ((257, 250), 128, (256, 248)),
        ((300, 900), 128, (72, 216)),
        ((2000, 20), 128, (256, 64)),
        ((768, 768), 512, (768, 768)),
        ((300, 200), 1024, (1280, 832)),
        ((1200, 1000), 1024, (1200, 1000)),
    ],
)
def test_an_image_is_drawn_over_in_its_own_size_if_the_model_can(
    size: tuple[int, int], native: int, drawn: tuple[int, int]
) -> None:
    """Up to twice the model's sides and down to half of them, in whole multiples of 8."""
    assert size_over(*size, native, 4 * native**2) == drawn


SIDES = st.integers(1, 5000)


@given(SIDES, SIDES, st.sampled_from([128, 512, 1024]), st.sampled_from([256, 512, 1024, 4096]))
def test_an_image_is_drawn_over_in_a_size_that_is_allowed(width: int, height: int, native: int, side: int) -> None:
    """A request may have it, and where its own size can be drawn nothing is made smaller or larger."""
    across, down = size_over(width, height, native, side**2)

    assert across % 8 == down % 8 == 0
    assert across * down <= side**2
    assert 64 <= min(across, down) <= max(across, down) <= 4096
    usual = min(width, height) >= 64 and width * height >= (native / 2) ** 2
    if usual and (width + 7) * (height + 7) <= side**2 and max(width, height) <= 4089:
        assert 0 <= across - width < 8
        assert 0 <= down - height < 8


@given(SIDES, SIDES, st.sampled_from([128, 512, 768, 1024]))
def test_an_image_like_another_is_never_larger_than_the_model_is_allowed(width: int, height: int, native: int) -> None:
    """Rounded to the sizes that models know, six to five would be."""
    across, down = size_like(width, height, native, native**2)

    assert across * down <= native**2
    assert across % 8 == down % 8 == 0
