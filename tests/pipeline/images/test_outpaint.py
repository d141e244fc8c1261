"""More around an image: its own pixels stay, what is new mirrors them."""

import numpy as np
import pytest
from PIL import Image

from pipeline.images.outpaint import Direction, widened, widened_size
from tests.pipeline.scene import scene


@pytest.mark.parametrize("amount", [5, 13, 50, 100])
@pytest.mark.parametrize("direction", Direction)
def test_the_image_stands_on_the_canvas_as_it_was(direction: Direction, amount: int) -> None:
    """On every side, by any amount; the mask is white everywhere else, and no seam lies between them."""
    image = scene().crop((0, 0, 60, 45))

    canvas, mask = widened(image, direction, amount)

    assert canvas.size == mask.size == widened_size(image.size, direction, amount)
    levels, new = np.asarray(canvas), np.asarray(mask) == 255
    rows, columns = np.nonzero(~new)
    top, left = rows.min(), columns.min()
    assert (~new).sum() == 60 * 45
    assert np.array_equal(levels[top : top + 45, left : left + 60], np.asarray(image))
    around = ((top, canvas.height - top - 45), (left, canvas.width - left - 60), (0, 0))
    assert np.array_equal(levels, np.pad(np.asarray(image), around, mode="symmetric"))
    assert (new.sum() > 0) == (canvas.size != image.size)


def test_what_was_marked_is_drawn_as_well() -> None:
    """At its place in the image that was there, whatever the mask's own size."""
    image = scene().resize((40, 20))
    marked = Image.new("L", (20, 10))
    marked.paste(255, (0, 0, 5, 10))

    canvas, mask = widened(image, Direction.LEFT, 50, marked)

    levels = np.asarray(mask)
    assert canvas.size == mask.size == (60, 20)
    assert (levels[:, :30] == 255).all()
    assert not levels[:, 30:].any()


def test_half_as_much_to_the_right_is_half_as_wide_again() -> None:
    """The amount is of the side that grows; all sides share it."""
    assert widened_size((128, 128), Direction.RIGHT, 50) == (192, 128)
    assert widened_size((128, 128), Direction.UP, 25) == (128, 160)
    assert widened_size((128, 96), Direction.ALL, 50) == (192, 144)
