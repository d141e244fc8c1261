"""What is where, by a tiny model of the real architecture."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.control.ade20k import COLOURS
from pipeline.control.segmentation import SegmentMap
from pipeline.errors import InvalidRequest
from tests.pipeline.tiny_annotators import tiny_segment


def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (60, 100, 3), dtype=np.uint8)


def test_a_map_has_the_size_of_its_image_and_only_the_classes_colours(tmp_path: Path) -> None:
    """The same every time."""
    draw = SegmentMap(tiny_segment(tmp_path))

    drawn = draw(scene())

    assert drawn.shape == (60, 100, 3)
    known = set(map(tuple, COLOURS.tolist()))
    assert set(map(tuple, drawn.reshape(-1, 3).tolist())) <= known
    assert np.array_equal(drawn, draw(scene()))


def test_each_class_has_the_colour_that_nets_were_trained_with() -> None:
    """Walls, sky, persons, the last class: ADE20K's 150."""
    assert len(COLOURS) == 150
    assert [tuple(COLOURS[number]) for number in (0, 2, 12, 149)] == [
        (120, 120, 120), (6, 230, 230), (150, 5, 61), (92, 0, 255),
    ]  # fmt: skip


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    """Its colours would say something else."""
    with pytest.raises(ValueError, match="knows 19 classes"):
        SegmentMap(tiny_segment(tmp_path, classes=19))


def test_words_are_where_their_classes_are(tmp_path: Path) -> None:
    """One and several together; nothing but what they name."""
    segments = SegmentMap(tiny_segment(tmp_path))
    colours, counts = np.unique(segments(scene()).reshape(-1, 3), axis=0, return_counts=True)
    one, other = (COLOURS.tolist().index(colour.tolist()) for colour in colours[np.argsort(counts)[-2:]])
    drawn = segments(scene())

    alone, both = (segments.mask(scene(), words) for words in (f"Label_{one}", f"label_{other}, LABEL_{one}"))

    assert np.array_equal(alone == 255, (drawn == COLOURS[one]).all(axis=2))
    assert np.array_equal(both == 255, (alone == 255) | (drawn == COLOURS[other]).all(axis=2))
    assert set(np.unique(both)) <= {0, 255}


def test_words_that_name_nothing_here_are_refused(tmp_path: Path) -> None:
    """A word that is none with the nearest, one that the image does not show with what it does."""
    segments = SegmentMap(tiny_segment(tmp_path))
    shown = set(map(tuple, segments(scene()).reshape(-1, 3).tolist()))
    absent = next(number for number, colour in enumerate(COLOURS.tolist()) if tuple(colour) not in shown)

    with pytest.raises(
        InvalidRequest, match=r"^'labell_7' is nothing that is known here; write words such as: label_7"
    ):
        segments.mask(scene(), "labell_7")
    with pytest.raises(
        InvalidRequest, match=rf"^There is no label_{absent} in this picture; it shows: (label_\d+, ){{7}}"
    ):
        segments.mask(scene(), f"label_{absent}")
