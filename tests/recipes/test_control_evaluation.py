"""How agreement of outlines is measured."""

import pytest
from PIL import Image, ImageDraw

from recipes.pocket.control_evaluation import f1


def line(row: int, end: int = 100) -> Image.Image:
    image = Image.new("RGB", (100, 100))
    ImageDraw.Draw(image).line((0, row, end - 1, row), fill="white")
    return image


@pytest.mark.parametrize(("row", "agreement"), [(50, 1.0), (52, 1.0), (53, 0.0)])
def test_an_outline_counts_within_two_pixels(row: int, agreement: float) -> None:
    """And not beyond."""
    assert f1(line(50), line(row)) == agreement


def test_half_an_outline_is_all_right_but_half_found() -> None:
    """The harmonic mean of both, but for the tolerance at its end."""
    assert f1(line(50), line(50, end=50)) == pytest.approx(2 / 3, abs=0.02)


def test_nothing_agrees_with_nothing_alone() -> None:
    """A blank map is a map too."""
    blank = Image.new("RGB", (100, 100))

    assert f1(blank, blank) == 1.0
    assert f1(blank, line(50)) == 0.0
