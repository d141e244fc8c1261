"""Vision models of the transformers library, as annotators use them: whole, from safetensors, on the processor."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from pipeline.control.pixels import Pixels

# The mean and deviation of ImageNet's colours, with which all of them were trained.
_MEAN: Final = np.array((0.485, 0.456, 0.406), dtype=np.float32)
_DEVIATION: Final = np.array((0.229, 0.224, 0.225), dtype=np.float32)


def load_vision_model(model: Any, folder: Path) -> Any:
    """The transformers class `model` with the weights in `folder`, config.json beside model.safetensors.

    Raises whatever a reader of a stranger's files raises, and ValueError where weights are missing.
    """
    loaded, found = model.from_pretrained(folder, use_safetensors=True, local_files_only=True, output_loading_info=True)
    if found["missing_keys"]:
        raise ValueError(f"{folder} lacks {len(found['missing_keys'])} tensors, such as {min(found['missing_keys'])}")
    return loaded.eval()


def whole_patches(pixels: Pixels, side: int, patch: int) -> tuple[int, int]:
    """(width, height) in multiples of `patch`, in the image's proportions, the shorter of them about `side`."""
    scale = side / min(pixels.shape[:2])
    height, width = (max(1, round(length * scale / patch)) * patch for length in pixels.shape[:2])
    return width, height


def vision_input(pixels: Pixels, size: tuple[int, int]) -> torch.Tensor:
    """An RGB image as the models read it: (1, 3, height, width) in `size` (width, height)."""
    shrinks = size[0] < pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    small = cv2.resize(pixels.astype(np.float32) / 255, size, interpolation=how)
    return torch.from_numpy((small - _MEAN) / _DEVIATION).permute(2, 0, 1)[None]
