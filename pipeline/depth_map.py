"""Depth maps by Depth Anything (Yang et al., 2024, arXiv 2401.10891): near is light, far is dark."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import DepthAnythingForDepthEstimation

from pipeline.annotators import Pixels
from pipeline.errors import UserError

# The shorter side and the colours' mean and deviation that the model was trained with.
_SIDE: Final = 518
_MEAN: Final = np.array((0.485, 0.456, 0.406), dtype=np.float32)
_DEVIATION: Final = np.array((0.229, 0.224, 0.225), dtype=np.float32)


class DepthMap:
    """The model in `folder`, config.json beside model.safetensors; raises UserError where they are not, or damaged."""

    def __init__(self, folder: Path) -> None:
        try:
            model: Any = DepthAnythingForDepthEstimation.from_pretrained(
                folder, use_safetensors=True, local_files_only=True
            )
        except Exception as error:
            # Whatever a reader of a stranger's files raises: there is no model that we can use.
            raise UserError(
                f"Depth maps need a Depth Anything model; put its config.json and model.safetensors in {folder}."
            ) from error
        self._model = model.eval()

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Pixels:
        """The map (height, width) of an RGB picture (height, width, 3), from 0, the farthest, to 255, the nearest."""
        nearness = self._model(pixel_values=self._prepared(pixels)).predicted_depth[:, None].float()
        if self._model.config.depth_estimation_type == "metric":
            nearness = -nearness
        whole = interpolate(nearness, pixels.shape[:2], mode="bicubic", align_corners=False)[0, 0]
        above = whole - whole.min()
        return np.asarray((above / above.max().clamp_min(1e-6) * 255).round().byte().numpy())

    def _prepared(self, pixels: Pixels) -> torch.Tensor:
        patch = self._model.config.patch_size
        scale = _SIDE / min(pixels.shape[:2])
        height, width = (max(1, round(side * scale / patch)) * patch for side in pixels.shape[:2])
        small = cv2.resize(pixels.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_CUBIC)
        return torch.from_numpy((small - _MEAN) / _DEVIATION).permute(2, 0, 1)[None]
