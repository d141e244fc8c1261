"""What is where, by UperNet (Xiao et al., 2018, arXiv 1807.10221) in the colours of ADE20K's 150 classes."""

import difflib
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import UperNetForSemanticSegmentation

from pipeline.control.ade20k import COLOURS
from pipeline.control.pixels import Pixels
from pipeline.control.vision_model import load_vision_model, vision_input, whole_patches
from pipeline.errors import InvalidRequest

# The shorter side that the model was trained with, and by how much its deepest layer is smaller.
_SIDE: Final = 512
_PATCH: Final = 32
# How many of its classes an image is said to show, the largest.
_TOLD: Final = 8


class SegmentMap:
    """The model in `folder`; raises what load_vision_model raises, and ValueError if its classes are not ADE20K's."""

    def __init__(self, folder: Path) -> None:
        self._model = load_vision_model(UperNetForSemanticSegmentation, folder)
        if self._model.config.num_labels != len(COLOURS):
            raise ValueError(f"{folder} knows {self._model.config.num_labels} classes, not ADE20K's {len(COLOURS)}")

    def __call__(self, pixels: Pixels) -> Pixels:
        """The map (height, width, 3) of an RGB image: each class in its colour."""
        return np.asarray(COLOURS[self._classes(pixels)])

    def mask(self, pixels: Pixels, words: str) -> Pixels:
        """Where what `words` name is in an RGB image, such as "sky, person": (height, width), 255 there, else 0.

        Raises InvalidRequest for a word that is no class's name, and where the image shows none of it, with what it
        shows.
        """
        wanted = {self._number(word) for word in words.casefold().split(",")}
        classes = self._classes(pixels)
        found = np.isin(classes, list(wanted))
        if not found.any():
            numbers, counts = np.unique(classes, return_counts=True)
            there = ", ".join(self._names[number] for number in numbers[np.argsort(-counts, kind="stable")][:_TOLD])
            raise InvalidRequest("mask-of", f"There is no {words} in this picture; it shows: {there}.")
        return found.astype(np.uint8) * 255

    @property
    def _names(self) -> dict[int, str]:
        return {number: name.casefold() for number, name in self._model.config.id2label.items()}

    def _number(self, word: str) -> int:
        numbers = {name: number for number, name in self._names.items()}
        if (name := word.strip()) in numbers:
            return numbers[name]
        near = ", ".join(difflib.get_close_matches(name, numbers, n=3, cutoff=0.5)) or ", ".join(list(numbers)[:12])
        raise InvalidRequest("mask-of", f"'{name:.40}' is nothing that is known here; write words such as: {near}.")

    @torch.inference_mode()
    def _classes(self, pixels: Pixels) -> Any:
        """The number of each pixel's class: (height, width)."""
        seen = self._model(pixel_values=vision_input(pixels, whole_patches(pixels, _SIDE, _PATCH))).logits.float()
        # The other classes would only take memory in the image's full size.
        classes = seen.argmax(1).unique()
        whole = interpolate(seen[:, classes], pixels.shape[:2], mode="bilinear", align_corners=False)
        return classes[whole.argmax(1)[0]].numpy()
