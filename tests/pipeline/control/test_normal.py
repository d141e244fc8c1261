"""Normals from the slope of depth, each way that a surface may look."""

import numpy as np
import pytest

from pipeline.control.normal import normals_of


@pytest.mark.parametrize(
    ("slope", "brighter"),
    [((0.0, 1.0), 1), ((0.0, -1.0), -1), ((1.0, 0.0), 2), ((-1.0, 0.0), -2)],
    ids=["nearer to the right looks left", "to the left, right", "nearer below looks up", "nearer above looks down"],
)
def test_a_surface_is_in_the_colour_of_where_it_looks(slope: tuple[float, float], brighter: int) -> None:
    """Red is left and green is up, whatever the image's size; the other of the two stays in the middle."""
    tilts = []
    for side in (64, 256):
        down, across = np.mgrid[:side, :side] / side
        nearness = (0.5 + 0.5 * (slope[0] * (down - 0.5) + slope[1] * (across - 0.5))).astype(np.float32)
        tilts.append(normals_of(nearness)[side // 2, side // 2].astype(int) - 127.5)

    place = abs(brighter) - 1
    assert np.sign(tilts[0][place]) == np.sign(brighter)
    assert abs(tilts[0][place]) > 10
    assert abs(tilts[0][1 - place]) <= 1
    assert np.abs(tilts[0] - tilts[1]).max() <= 1


def test_a_flat_surface_looks_at_the_viewer() -> None:
    """Blue, at full length."""
    assert set(map(tuple, normals_of(np.full((8, 9), 0.3, dtype=np.float32)).reshape(-1, 3).tolist())) == {
        (128, 128, 255)
    }


def test_a_step_twice_as_high_is_steeper() -> None:
    """And every normal has the length one."""
    step = np.zeros((64, 64), dtype=np.float32)
    step[:, 32:] = 0.2
    low, high = normals_of(step), normals_of(2 * step)

    assert high[32, 31, 0] > low[32, 31, 0] > 128
    lengths = np.linalg.norm(high.astype(float) / 127.5 - 1, axis=2)
    assert np.abs(lengths - 1).max() < 0.02
