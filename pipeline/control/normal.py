"""Normal maps, from the slope of a depth map: red looks left, green up, blue at whoever looks, as ScanNet's."""

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
    """The depth model in `folder`; raises what DepthMap raises."""

    def __init__(self, folder: Path) -> None:
        self._depth = DepthMap(folder)

    def __call__(self, pixels: Pixels) -> Pixels:
        """The map (height, width, 3) of an RGB image."""
        return normals_of(self._depth.nearness(pixels))


def normals_of(nearness: NDArray[np.float32]) -> Pixels:
    """The normals (height, width, 3), -1 to 1 as 0 to 255, of a depth map (height, width), 0 far to 1 near."""
    side = min(nearness.shape)
    smooth = cv2.GaussianBlur(nearness, (0, 0), max(0.5, _SMOOTH * side))
    # A Sobel filter's weights sum up to eight pixels' difference.
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *step) / 8 * side * _RELIEF for step in ((1, 0), (0, 1)))
    normals = np.stack((across, down, np.ones_like(across)), axis=2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return np.asarray(((normals + 1) / 2 * 255).round().astype(np.uint8))
