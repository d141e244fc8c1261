"""Depth maps by Depth Anything (Yang et al., 2024, arXiv 2401.10891): near is light, far is dark."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate
from transformers import DepthAnythingForDepthEstimation

from pipeline.control.pixels import Pixels
from pipeline.control.vision_model import load_vision_model, vision_input, whole_patches

# The shorter side that the model was trained with.
_SIDE: Final = 518


class DepthMap:
    """Depth Anything as an annotator.

    Args:
        folder: config.json and model.safetensors; load_vision_model says what it raises.
    """

    def __init__(self, folder: Path) -> None:
        self._model = load_vision_model(DepthAnythingForDepthEstimation, folder)

    def __call__(self, pixels: Pixels) -> Pixels:
        """The depth map of an image.

        Args:
            pixels: (height, width, 3) in RGB.

        Returns:
            (height, width), from 0, the farthest, to 255, the nearest.
        """
        return (self.nearness(pixels) * 255).round().astype(np.uint8)

    @torch.inference_mode()
    def nearness(self, pixels: Pixels) -> NDArray[np.float32]:
        """The depth map before it is rounded to bytes.

        Args:
            pixels: (height, width, 3) in RGB.

        Returns:
            (height, width), from 0, the farthest, to 1, the nearest.
        """
        nearness = self._model(pixel_values=self._prepared(pixels)).predicted_depth[:, None].float()
        if self._model.config.depth_estimation_type == "metric":
            nearness = -nearness
        whole = interpolate(nearness, pixels.shape[:2], mode="bicubic", align_corners=False)[0, 0]
        above = whole - whole.min()
        return np.asarray((above / above.max().clamp_min(1e-6)).numpy())

    def _prepared(self, pixels: Pixels) -> torch.Tensor:
        return vision_input(pixels, whole_patches(pixels, _SIDE, self._model.config.patch_size))
