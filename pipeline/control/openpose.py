"""Bodies in OpenPose's colours (Cao et al., 2018, arXiv 1812.08008): eighteen points, seventeen limbs."""

import colorsys
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from pipeline.control.pixels import Pixels

Point = tuple[float, float] | None
"""(x, y) in pixels; None where it is not seen."""

_NECK: Final = 1
_SHOULDERS: Final = (5, 6)
# COCO's seventeen in OpenPose's order, right before left; the neck, which COCO has not, stands second.
_FROM_COCO: Final = (0, _NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_LIMBS: Final = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
# The hues of the rainbow, once round.
COLOURS: Final = tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue / 18, 1, 1)) for hue in range(18))
_DIMMED: Final = 0.6
_REFERENCE_SIDE: Final = 512
_WIDTH: Final = 4


def from_coco(points: Sequence[Point]) -> tuple[Point, ...]:
    """OpenPose's points of a body from COCO's.

    Args:
        points: COCO's seventeen keypoints, in its order.

    Returns:
        OpenPose's eighteen, in its order; the neck, which COCO does not have, is midway between the shoulders.
    """
    left, right = (points[number] for number in _SHOULDERS)
    neck = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2) if left and right else None
    return tuple(neck if place == _NECK else points[number] for place, number in enumerate(_FROM_COCO))


def draw_body(canvas: Pixels, points: Sequence[Point]) -> None:
    """Draw a body onto an image, with the limbs of which both ends are seen.

    Args:
        canvas: (height, width, 3) in RGB; changed in place.
        points: OpenPose's eighteen, in its order.
    """
    width = max(1, round(_WIDTH * min(canvas.shape[:2]) / _REFERENCE_SIDE))
    for (first, second), colour in zip(_LIMBS, COLOURS, strict=False):
        start, end = points[first], points[second]
        if start and end:
            dimmed = tuple(int(part * _DIMMED) for part in colour)
            cv2.fillConvexPoly(canvas, _limb(start, end, width), dimmed)
    for point, colour in zip(points, COLOURS, strict=True):
        if point:
            cv2.circle(canvas, (round(point[0]), round(point[1])), width, colour, thickness=-1)


def _limb(start: tuple[float, float], end: tuple[float, float], width: int) -> np.ndarray:
    """The outline of an ellipse from one point to the other."""
    (x, y), (far_x, far_y) = start, end
    middle = (round((x + far_x) / 2), round((y + far_y) / 2))
    length, angle = np.hypot(far_x - x, far_y - y), np.degrees(np.arctan2(far_y - y, far_x - x))
    return np.asarray(cv2.ellipse2Poly(middle, (round(length / 2), width), round(angle), 0, 360, 5))
