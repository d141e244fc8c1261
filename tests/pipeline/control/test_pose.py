"""Poses: from heat maps to points in the image, and whole maps by tiny models."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.control.pose import PoseMap, crop_of, read_points
from pipeline.errors import InvalidRequest
from tests.pipeline.tiny_annotators import tiny_persons, tiny_pose


def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (120, 90, 3), dtype=np.uint8)


@pytest.mark.parametrize("box", [(100, 50, 200, 350), (0, 0, 640, 80), (-20, -10, 60, 400)])
@pytest.mark.parametrize("wanted", [(0.5, 0.5), (0.2, 0.7), (0.9, 0.1)])
def test_a_hot_place_is_a_point_in_the_image(
    box: tuple[float, float, float, float], wanted: tuple[float, float]
) -> None:
    """Within half a cell of the heat map, for upright, wide and overlapping boxes; what is not sure is not seen."""
    crop = crop_of(box)
    target = np.array([box[0] + wanted[0] * (box[2] - box[0]), box[1] + wanted[1] * (box[3] - box[1])])
    across, down = (crop[:, :2] @ target + crop[:, 2] + 0.5) / 4 - 0.5
    rows, columns = np.mgrid[:64, :48]
    heat = np.exp(-((columns - across) ** 2 + (rows - down) ** 2) / 8).astype(np.float32)

    seen, unseen = read_points(np.stack((heat, 0.2 * heat)), crop)

    assert seen is not None
    assert np.abs(np.array(seen) - target).max() <= 0.5 * 4 / crop[0, 0]
    assert unseen is None


def test_a_box_is_in_the_middle_with_a_quarter_around_and_not_stretched() -> None:
    """A wide one has more above and below it."""
    for left, top, right, bottom in ((100, 50, 200, 350), (0, 0, 640, 80)):
        crop = crop_of((left, top, right, bottom))
        corners = [crop[:, :2] @ corner + crop[:, 2] for corner in ((left, top), (right, bottom))]
        assert crop[0, 0] == crop[1, 1]
        assert np.allclose(sum(corners) / 2, (96, 128))
        extent = (corners[1] - corners[0]) / (192, 256)
        assert extent.max() == pytest.approx(0.8)


@pytest.mark.parametrize("found", [True, False], ids=["with a detector's boxes", "the whole picture as the box"])
def test_a_map_has_the_size_of_its_image_and_is_the_same_every_time(tmp_path: Path, found: bool) -> None:
    """Bodies on black."""
    draw = PoseMap(tiny_persons(tmp_path / "persons", found=found), tiny_pose(tmp_path / "pose"))

    drawn = draw(scene())

    assert drawn.shape == (120, 90, 3)
    assert drawn.any()
    assert np.array_equal(drawn, draw(scene()))


def test_an_image_without_people_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """A black map would keep nothing."""
    draw = PoseMap(tiny_persons(tmp_path / "persons", found=False), tiny_pose(tmp_path / "pose", sure=False))

    with pytest.raises(InvalidRequest, match="No person is seen"):
        draw(scene())
