"""Vision models of the transformers library, as annotators use them: whole, from safetensors, on the CPU."""

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
    """A vision model from its folder, on the CPU and in evaluation mode.

    Args:
        model: a class of the transformers library.
        folder: config.json and model.safetensors, which are untrusted: reading them may raise any exception.

    Returns:
        An instance of the class.

    Raises:
        ValueError: the file lacks weights of the model.
    """
    loaded, found = model.from_pretrained(folder, use_safetensors=True, local_files_only=True, output_loading_info=True)
    if found["missing_keys"]:
        raise ValueError(f"{folder} lacks {len(found['missing_keys'])} tensors, such as {min(found['missing_keys'])}")
    return loaded.eval()


def whole_patches(pixels: Pixels, side: int, patch: int) -> tuple[int, int]:
    """The size in which a model reads an image: in the image's proportions, in whole patches.

    Args:
        pixels: (height, width, 3).
        side: about how long the shorter side becomes, in pixels.
        patch: the side of a patch in pixels.

    Returns:
        (width, height), multiples of `patch`.
    """
    scale = side / min(pixels.shape[:2])
    height, width = (max(1, round(length * scale / patch)) * patch for length in pixels.shape[:2])
    return width, height


def vision_input(pixels: Pixels, size: tuple[int, int]) -> torch.Tensor:
    """An image as ImageNet's models read it: normalised by the mean and deviation of its colours.

    Args:
        pixels: (height, width, 3) in RGB.
        size: (width, height) to scale to.

    Returns:
        (1, 3, height, width), float32.
    """
    shrinks = size[0] < pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    small = cv2.resize(pixels.astype(np.float32) / 255, size, interpolation=how)
    return torch.from_numpy((small - _MEAN) / _DEVIATION).permute(2, 0, 1)[None]
