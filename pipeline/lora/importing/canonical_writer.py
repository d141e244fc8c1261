"""The canonical file of docs/lora-format.md, collected layer by layer and written whole."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.families.family import ModelFamily
from pipeline.files import write_atomically
from pipeline.lora.format.file import FORMAT, VECTORS, VERSION, WITH_VECTORS, WITH_WORDS, word_name
from pipeline.lora.importing.change import Factors
from pipeline.lora.importing.lowering import balanced, rounding

STORED: Final = torch.float16
"""Ten bits of fraction, two more than bfloat16's; `balanced` halves never leave its range."""


class CanonicalWriter:
    """Collects the layers of one LoRA.

    Args:
        family: of the base that it is made for.
    """

    def __init__(self, family: ModelFamily) -> None:
        self._family = family
        self._tensors: dict[str, Tensor] = {}
        self._words: list[str] = []

    def add(self, layer: str, factors: Factors) -> float:
        """Take one layer.

        Args:
            layer: its canonical name.
            factors: of its update; stored in half precision.

        Returns:
            The Frobenius norm of what rounding changes in their product.
        """
        halves = balanced(factors)
        up, down = halves.up.to(STORED).contiguous(), halves.down.to(STORED).contiguous()
        self._tensors |= {f"{layer}.up": up, f"{layer}.down": down}
        return rounding(factors, Factors(up=up.double(), down=down.double()))

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
        save_canonical(self._tensors, self._family, path, self._words)


def save_canonical(tensors: dict[str, Tensor], family: ModelFamily, path: Path, words: Sequence[str] = ()) -> None:
    """Write a canonical file.

    Args:
        tensors: halves, vectors and textual inversions by their canonical names.
        family: of the base.
        path: of the file, which is there whole or not at all.
        words: of the textual inversions, in the order of their numbers.
    """
    version = WITH_VECTORS if any(name.endswith(VECTORS) for name in tensors) else WITH_WORDS if words else VERSION
    metadata = {"format": FORMAT, "version": version, "family": family.value}
    with write_atomically(path) as file:
        save_file(tensors, file, metadata=metadata | ({"words": json.dumps(words)} if words else {}))
