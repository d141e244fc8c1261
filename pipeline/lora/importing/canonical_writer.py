"""The canonical file of docs/lora-format.md, written layer by layer and put in its place whole."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import FORMAT, VECTORS, VERSION, WITH_VECTORS, WITH_WORDS, word_name
from pipeline.lora.importing.change import Factors
from pipeline.lora.importing.lowering import balanced, rounding

STORED: Final = torch.float16
"""Ten bits of fraction, two more than bfloat16's; `balanced` halves never leave its range."""


class CanonicalWriter:
    """Gathers the layers of one LoRA for the base's `family`."""

    def __init__(self, family: ModelFamily) -> None:
        self._family = family
        self._tensors: dict[str, Tensor] = {}
        self._words: list[str] = []

    def add(self, layer: str, factors: Factors) -> float:
        """Take the `factors` of `layer`; returns the norm of what rounding takes from their product."""
        halves = balanced(factors)
        up, down = halves.up.to(STORED).contiguous(), halves.down.to(STORED).contiguous()
        self._tensors |= {f"{layer}.up": up, f"{layer}.down": down}
        return rounding(factors, Factors(up=up.double(), down=down.double()))

    def add_vector(self, name: str, vector: Tensor) -> None:
        """Take what is added to a norm's gain (`<norm>.gain`) or to a bias (`<layer>.bias`), unrounded."""
        self._tensors[name] = vector.float().contiguous()

    @property
    def empty(self) -> bool:
        """Whether nothing was taken yet."""
        return not self._tensors

    def add_word(self, text: str, vectors: dict[str, Tensor]) -> None:
        """Take what `text` means to each text encoder: (count, width), unrounded."""
        for network, own in vectors.items():
            self._tensors[word_name(network, len(self._words))] = own.float().contiguous()
        self._words.append(text)

    def save(self, path: Path) -> None:
        """Write all layers and words to `path`, which is there whole or not at all."""
        save_canonical(self._tensors, self._family, path, self._words)


def save_canonical(tensors: dict[str, Tensor], family: ModelFamily, path: Path, words: Sequence[str] = ()) -> None:
    """Write the canonical file of these halves and words' vectors to `path`, which is there whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    version = WITH_VECTORS if any(name.endswith(VECTORS) for name in tensors) else WITH_WORDS if words else VERSION
    metadata = {"format": FORMAT, "version": version, "family": family.value}
    save_file(tensors, partial, metadata=metadata | ({"words": json.dumps(words)} if words else {}))
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
