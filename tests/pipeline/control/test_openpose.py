"""Bodies in OpenPose's points and colours."""

import numpy as np

from pipeline.control.openpose import COLOURS, Point, draw_body, from_coco

NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, RIGHT_WRIST = 0, 5, 6, 10


def body(**seen: Point) -> list[Point]:
    names = {"nose": NOSE, "left": LEFT_SHOULDER, "right": RIGHT_SHOULDER, "wrist": RIGHT_WRIST}
    points: list[Point] = [None] * 17
    for name, point in seen.items():
        points[names[name]] = point
    return points


def test_the_neck_is_between_the_shoulders() -> None:
    """And is not seen where one of them is not."""
    whole = from_coco(body(left=(60, 20), right=(20, 30), wrist=(5, 90)))

    assert whole[1] == (40, 25)
    assert (whole[2], whole[5], whole[4]) == ((20, 30), (60, 20), (5, 90))
    assert from_coco(body(left=(60, 20)))[1] is None


def test_points_and_limbs_have_openposes_colours() -> None:
    """Points in full, limbs dimmed; nothing is drawn to a point that is not seen."""
    canvas = np.zeros((128, 128, 3), dtype=np.uint8)

    draw_body(canvas, from_coco(body(nose=(64, 10), left=(104, 60), right=(24, 60), wrist=(10, 120))))

    assert [tuple(canvas[y, x]) for x, y in ((64, 10), (64, 60), (24, 60), (104, 60), (10, 120))] == [
        (255, 0, 0), (255, 85, 0), (255, 170, 0), (85, 255, 0), (170, 255, 0),
    ]  # fmt: skip
    assert tuple(canvas[60, 44]) == (153, 0, 0)
    assert tuple(canvas[35, 64]) == (0, 0, 153)
    assert not canvas[90, 12:22].any()
    assert COLOURS[17] == (255, 0, 85)
