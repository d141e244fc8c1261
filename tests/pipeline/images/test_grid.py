"""Sheets of images under the names of their columns and beside those of their rows."""

import numpy as np
from PIL import Image

from pipeline.images.grid import labelled_grid

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200), (200, 0, 200)]


def test_every_image_is_whole_in_its_row_and_column() -> None:
    """Row by row, and none over another, however long the names are."""
    images = [Image.new("RGB", (40, 30), colour) for colour in COLOURS]

    sheet = np.asarray(labelled_grid(images, ["a", "a column with a long name", "c"], ["first", "second"]))

    corners = []
    for colour in COLOURS:
        rows, columns = np.nonzero((sheet == colour).all(axis=2))
        assert len(rows) == 40 * 30
        corners.append((rows.min(), columns.min()))
    tops, lefts = ([int(corner[axis]) for corner in corners] for axis in (0, 1))
    assert tops[0] == tops[1] == tops[2] < tops[3] == tops[4] == tops[5]
    assert lefts[:3] == lefts[3:] == sorted(set(lefts[:3]))


def test_names_are_written_where_there_are_any() -> None:
    """Above and on the left; empty ones leave the paper white."""
    image = Image.new("RGB", (40, 30), "white")

    named, unnamed = (
        np.asarray(labelled_grid([image], [column], [row])) for column, row in (("steps", "cfg"), ("", ""))
    )

    assert (named < 255).any()
    assert (unnamed == 255).all()
