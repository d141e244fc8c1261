"""The canonical file of docs/lora-format.md, collected part by part and written whole."""

import json
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.families.family import ModelFamily
from pipeline.files import write_atomically
from pipeline.lora.format.file import FORMAT, VERSION, word_name
from pipeline.lora.format.part_header import part_name
from pipeline.lora.format.parts import Part, tensors_of
from pipeline.lora.format.scale_rule import ScaleRule

_PRECISE: Final = frozenset({"turn", "turn_rescale", "turn_in", "magnitude", "magnitude_in"})
"""Stored in float32 whatever they were: they are few, or were computed."""


class CanonicalWriter:
    """Collects one LoRA.

    Args:
        family: of the base that it is made for.
        scale_rule: what its parts do at scales other than 1.
    """

    def __init__(self, family: ModelFamily, scale_rule: ScaleRule = ScaleRule.LINEAR) -> None:
        self._family = family
        self._scale_rule = scale_rule
        self._tensors: dict[str, Tensor] = {}
        self._parts: dict[str, int] = {}
        self._words: list[str] = []

    def add(self, layer: str, part: Part) -> None:
        """Take one more part of a layer.

        Args:
            layer: its canonical name.
            part: stored in the narrowest of half precision, bfloat16 and float32 that holds its numbers.
        """
        number = self._parts.get(layer, 0)
        self._parts[layer] = number + 1
        for side, tensor in tensors_of(part).items():
            stored = tensor if side == "scale" else tensor.float() if side in _PRECISE else narrowed(tensor)
            self._tensors[f"{part_name(layer, number)}.{side}"] = stored.contiguous()

    def add_vector(self, name: str, vector: Tensor) -> None:
        """Take what is added to a norm or to a bias; stored in float32.

        Args:
            name: `<norm>.gain`, `<norm>.bias` or `<layer>.bias`.
            vector: (channels,).
        """
        self._tensors[name] = vector.float().contiguous()

    @property
    def empty(self) -> bool:
        """Whether nothing was taken yet."""
        return not self._tensors

    def add_word(self, text: str, vectors: dict[str, Tensor]) -> None:
        """Take a textual inversion; stored in float32.

        Args:
            text: the word that activates it.
            vectors: (count, width) for each text encoder.
        """
        for network, own in vectors.items():
            self._tensors[word_name(network, len(self._words))] = own.float().contiguous()
        self._words.append(text)

    def save(self, path: Path) -> None:
        """Write all that was taken.

        Args:
            path: of the file, which is there whole or not at all.
        """
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "family": self._family.value,
            "scale_rule": self._scale_rule.value,
        }
        if self._words:
            metadata["words"] = json.dumps(self._words)
        with write_atomically(path) as file:
            save_file(self._tensors, file, metadata=metadata)


def narrowed(tensor: Tensor) -> Tensor:
    """The same numbers in fewer bits.

    Args:
        tensor: of any type.

    Returns:
        In half precision or bfloat16 if that holds each of its numbers, else in float32, which may round.
    """
    for dtype in (torch.float16, torch.bfloat16):
        if torch.equal((own := tensor.to(dtype)).to(tensor.dtype), tensor):
            return own
    return tensor.float()
