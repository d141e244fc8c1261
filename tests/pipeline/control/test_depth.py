"""Depth maps, by a tiny model of the real architecture."""

from pathlib import Path

import numpy as np

from pipeline.control.depth import DepthMap
from tests.pipeline.tiny_annotators import tiny_depth


def scene() -> np.ndarray:
    pixels = np.zeros((60, 100, 3), dtype=np.uint8)
    pixels[20:50, 30:80] = (200, 90, 30)
    return pixels


def test_a_map_has_the_size_of_its_image_spans_all_levels_and_is_the_same_every_time(tmp_path: Path) -> None:
    """From the farthest to the nearest."""
    draw = DepthMap(tiny_depth(tmp_path))

    depth = draw(scene())

    assert depth.shape == (60, 100)
    assert (depth.min(), depth.max()) == (0, 255)
    assert np.array_equal(depth, draw(scene()))


def test_metres_and_nearness_give_opposite_orders_one_way_round(tmp_path: Path) -> None:
    """The same head read as metres: what it calls larger is farther, thus darker."""
    nearness = DepthMap(tiny_depth(tmp_path / "a"))(scene()).astype(float)
    metres = DepthMap(tiny_depth(tmp_path / "b", depth_estimation_type="metric", max_depth=20))(scene()).astype(float)

    assert np.corrcoef(nearness.ravel(), metres.ravel())[0, 1] < -0.9


def test_the_model_sees_the_proportions_in_whole_patches(tmp_path: Path) -> None:
    """The shorter side 518, the longer the nearest multiple of 14."""
    draw = DepthMap(tiny_depth(tmp_path))

    assert draw._prepared(scene()).shape == (1, 3, 518, 868)
    assert draw._prepared(scene().transpose(1, 0, 2)).shape == (1, 3, 868, 518)


def test_an_image_without_differences_has_a_map(tmp_path: Path) -> None:
    """Of finite levels, not of divisions by nothing."""
    assert DepthMap(tiny_depth(tmp_path))(np.full((20, 20, 3), 128, dtype=np.uint8)).shape == (20, 20)
