"""Semantic segmentation by UperNet (Xiao et al., 2018, arXiv 1807.10221), in the colours of ADE20K's 150 classes."""

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
# How many of the classes that an image shows an error lists, the largest first.
_LISTED: Final = 8


class SegmentMap:
    """UperNet as an annotator.

    Args:
        folder: config.json and model.safetensors; load_vision_model says what it raises.

    Raises:
        ValueError: the model's classes are not ADE20K's.
    """

    def __init__(self, folder: Path) -> None:
        self._model = load_vision_model(UperNetForSemanticSegmentation, folder)
        if self._model.config.num_labels != len(COLOURS):
            raise ValueError(f"{folder} knows {self._model.config.num_labels} classes, not ADE20K's {len(COLOURS)}")

    def __call__(self, pixels: Pixels) -> Pixels:
        """The segmentation map of an image.

        Args:
            pixels: (height, width, 3) in RGB.

        Returns:
            (height, width, 3), each class in its colour.
        """
        return np.asarray(COLOURS[self._classes(pixels)])

    def mask(self, pixels: Pixels, words: str) -> Pixels:
        """A mask of the things in an image that words name.

        Args:
            pixels: (height, width, 3) in RGB.
            words: names of classes with commas between, such as "sky, person".

        Returns:
            (height, width), 255 where the image shows one of them, else 0.

        Raises:
            InvalidRequest: a word names no class, or the image shows none of them; the sentence lists what it
                shows.
        """
        wanted = {self._number(word) for word in words.casefold().split(",")}
        classes = self._classes(pixels)
        found = np.isin(classes, list(wanted))
        if not found.any():
            numbers, counts = np.unique(classes, return_counts=True)
            there = ", ".join(self._names[number] for number in numbers[np.argsort(-counts, kind="stable")][:_LISTED])
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
