"""Poses of people: found by YOLOS (arXiv 2106.00666), read by ViTPose (arXiv 2204.12484), drawn as OpenPose does."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import VitPoseForPoseEstimation, YolosForObjectDetection

from pipeline.control.openpose import Point, draw_body, from_coco
from pipeline.control.pixels import Pixels
from pipeline.control.vision_model import load_vision_model, vision_input, whole_patches
from pipeline.errors import InvalidRequest

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""

# What ViTPose reads: a person upright in an image of this size, with a quarter of the box around.
_WIDTH, _HEIGHT = 192, 256
_MARGIN: Final = 1.25
_SURE: Final = 0.3

_DETECTED_SIDE: Final = 512
_PERSON: Final = "person"
_PRESENT: Final = 0.5
_MOST_PEOPLE: Final = 20


class PoseMap:
    """A detector and a pose model as an annotator.

    Args:
        persons: the folder of the detector; load_vision_model says what it raises.
        pose: the folder of the pose model.
    """

    def __init__(self, persons: Path, pose: Path) -> None:
        self._persons = load_vision_model(YolosForObjectDetection, persons)
        self._pose = load_vision_model(VitPoseForPoseEstimation, pose)
        self._label = self._persons.config.label2id[_PERSON]

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Pixels:
        """The pose map of an image, of at most twenty people.

        Args:
            pixels: (height, width, 3) in RGB.

        Returns:
            (height, width, 3), bodies on black.

        Raises:
            InvalidRequest: nobody's pose is seen in the image.
        """
        bodies = [self._body(pixels, crop_of(box)) for box in self._boxes(pixels)]
        if not any(point for body in bodies for point in body):
            raise InvalidRequest("control", "No person is seen in the picture; choose another, or another control.")
        canvas = np.zeros_like(pixels)
        for body in bodies:
            draw_body(canvas, from_coco(body))
        return canvas

    def _boxes(self, pixels: Pixels) -> list[Box]:
        """Where people are, the surest first; the whole image where the detector finds nobody."""
        height, width = pixels.shape[:2]
        size = whole_patches(pixels, _DETECTED_SIDE, self._persons.config.patch_size)
        found = self._persons(pixel_values=vision_input(pixels, size))
        surely = found.logits[0].softmax(-1)[:, self._label]
        first = surely.argsort(descending=True)[:_MOST_PEOPLE]
        boxes = found.pred_boxes[0][first][surely[first] > _PRESENT].tolist()
        return [
            ((x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height)
            for x, y, wide, high in boxes
        ] or [(0, 0, width, height)]

    def _body(self, pixels: Pixels, crop: NDArray[np.float64]) -> list[Point]:
        person = cv2.warpAffine(pixels, crop, (_WIDTH, _HEIGHT), flags=cv2.INTER_LINEAR)
        heat = self._pose(pixel_values=vision_input(np.asarray(person, dtype=np.uint8), (_WIDTH, _HEIGHT))).heatmaps[0]
        return read_points(np.asarray(heat.float().numpy()), crop)


def crop_of(box: Box) -> NDArray[np.float64]:
    """The affine map that puts a box in the middle of the pose model's input, a quarter larger and not stretched.

    Args:
        box: in pixels of the image.

    Returns:
        (2, 3), from pixels of the image to pixels of the input.
    """
    left, top, right, bottom = box
    scale = _WIDTH / (max(right - left, (bottom - top) * _WIDTH / _HEIGHT, 1.0) * _MARGIN)
    across, down = _WIDTH / 2 - scale * (left + right) / 2, _HEIGHT / 2 - scale * (top + bottom) / 2
    return np.array([[scale, 0, across], [0, scale, down]])


def read_points(heat: NDArray[np.float32], crop: NDArray[np.float64]) -> list[Point]:
    """The keypoints of a body from the pose model's heat maps.

    Args:
        heat: (points, height, width), 0 to 1.
        crop: (2, 3), from `crop_of`.

    Returns:
        Where in the image each map has its peak, to a quarter of a cell; None where the peak is below 0.3.
    """
    return [_peak(each, crop) for each in heat]


def _peak(heat: NDArray[np.float32], crop: NDArray[np.float64]) -> Point:
    row, column = (int(place) for place in np.unravel_index(heat.argmax(), heat.shape))
    if heat[row, column] < _SURE:
        return None
    x = (column + _nudge(heat[row], column) + 0.5) * _WIDTH / heat.shape[1] - 0.5
    y = (row + _nudge(heat[:, column], row) + 0.5) * _HEIGHT / heat.shape[0] - 0.5
    return float((x - crop[0, 2]) / crop[0, 0]), float((y - crop[1, 2]) / crop[1, 1])


def _nudge(line: NDArray[np.float32], place: int) -> float:
    """A quarter of a cell towards the hotter neighbour: the peak lies between the two."""
    if not 0 < place < len(line) - 1:
        return 0.0
    return 0.25 * float(np.sign(line[place + 1] - line[place - 1]))
