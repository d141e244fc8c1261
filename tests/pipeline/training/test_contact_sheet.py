"""Progress in one small image: the loss as a line above the newest samples."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.training.contact_sheet import image, progress_sheet


def ink(losses: list[float]) -> np.ndarray:
    """Where the plot is blue: its line."""
    with Image.open(io.BytesIO(progress_sheet(losses, []))) as sheet:
        red, _, blue = np.array(sheet).astype(int).transpose(2, 0, 1)
    return np.argwhere(blue - red > 50)


def test_a_falling_loss_is_a_line_that_falls() -> None:
    assert not len(ink([1.0]))
    line = ink([3.0, 2.0, 1.0])
    left, right = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert left[0] < right[0] - 50  # rows count from above


@pytest.mark.parametrize(("samples", "row"), [(0, 0), (1, 80), (6, 80)])
def test_a_row_of_samples_stands_below_the_plot(samples: int, row: int) -> None:
    sheet = progress_sheet([2.0, 1.0], [torch.full((3, 64, 64), 0.5)] * samples)
    with Image.open(io.BytesIO(sheet)) as opened:
        assert opened.size == (320, 120 + row)


def test_what_is_no_number_is_black() -> None:
    half = torch.ones(3, 2, 2)
    half[:, 0] = torch.nan
    assert np.array(image(half)).tolist() == [[[0, 0, 0]] * 2, [[255, 255, 255]] * 2]
