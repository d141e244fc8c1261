"""Normal maps, from the slope of a depth map: red points left, green up, blue at the viewer, as ScanNet's."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.control.depth import DepthMap
from pipeline.control.pixels import Pixels

# A surface that goes through all of the depth within a quarter of the image's side is seen at 45 degrees.
_RELIEF: Final = 0.25
_SMOOTH: Final = 0.004


class NormalMap:
    """A depth model as an annotator of normals.

    Args:
        folder: the depth model; DepthMap says what it raises.
    """

    def __init__(self, folder: Path) -> None:
        self._depth = DepthMap(folder)

    def __call__(self, pixels: Pixels) -> Pixels:
        """The normal map of an image.

        Args:
            pixels: (height, width, 3) in RGB.

        Returns:
            (height, width, 3), as `normals_of`.
        """
        return normals_of(self._depth.nearness(pixels))


def normals_of(nearness: NDArray[np.float32]) -> Pixels:
    """The surface normals of a depth map.

    Args:
        nearness: (height, width), from 0, the farthest, to 1, the nearest.

    Returns:
        (height, width, 3): the unit vector's x, y and z, each from -1 to 1 stored as 0 to 255.
    """
    side = min(nearness.shape)
    smooth = cv2.GaussianBlur(nearness, (0, 0), max(0.5, _SMOOTH * side))
    # A Sobel filter's weights sum up to eight pixels' difference.
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *step) / 8 * side * _RELIEF for step in ((1, 0), (0, 1)))
    normals = np.stack((across, down, np.ones_like(across)), axis=2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return np.asarray(((normals + 1) / 2 * 255).round().astype(np.uint8))
