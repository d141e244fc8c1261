"""What is where, by UperNet (Xiao et al., 2018, arXiv 1807.10221) in the colours of ADE20K's 150 classes."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import UperNetForSemanticSegmentation

from pipeline.ade20k import COLOURS
from pipeline.pixels import Pixels
from pipeline.vision_model import load_vision_model, vision_input, whole_patches

# The shorter side that the model was trained with, and by how much its deepest layer is smaller.
_SIDE: Final = 512
_PATCH: Final = 32


class SegmentMap:
    """The model in `folder`; raises what load_vision_model raises, and ValueError if its classes are not ADE20K's."""

    def __init__(self, folder: Path) -> None:
        self._model = load_vision_model(UperNetForSemanticSegmentation, folder)
        if self._model.config.num_labels != len(COLOURS):
            raise ValueError(f"{folder} knows {self._model.config.num_labels} classes, not ADE20K's {len(COLOURS)}")

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Pixels:
        """The map (height, width, 3) of an RGB picture: each class in its colour."""
        seen = self._model(pixel_values=vision_input(pixels, whole_patches(pixels, _SIDE, _PATCH))).logits.float()
        # The other classes would only take memory in the picture's full size.
        classes = seen.argmax(1).unique()
        whole = interpolate(seen[:, classes], pixels.shape[:2], mode="bilinear", align_corners=False)
        return np.asarray(COLOURS[classes[whole.argmax(1)[0]].numpy()])
