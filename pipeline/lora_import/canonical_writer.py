"""The canonical file of docs/lora-format.md, written layer by layer and put in its place whole."""

import os
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.lora_file import FORMAT, VERSION
from pipeline.lora_import.change import Factors
from pipeline.lora_import.lowering import balanced, rounding
from pipeline.model_facts import ModelFamily

STORED: Final = torch.float16
"""Ten bits of fraction, two more than bfloat16's; `balanced` halves never leave its range."""


class CanonicalWriter:
    """Gathers the layers of one LoRA for the base's `family`."""

    def __init__(self, family: ModelFamily) -> None:
        self._family = family
        self._tensors: dict[str, Tensor] = {}

    def add(self, layer: str, factors: Factors) -> float:
        """Take the `factors` of `layer`; returns the norm of what rounding takes from their product."""
        halves = balanced(factors)
        up, down = halves.up.to(STORED).contiguous(), halves.down.to(STORED).contiguous()
        self._tensors |= {f"{layer}.up": up, f"{layer}.down": down}
        return rounding(factors, Factors(up=up.double(), down=down.double()))

    def save(self, path: Path) -> None:
        """Write all layers to `path`, which is there whole or not at all."""
        save_canonical(self._tensors, self._family, path)


def save_canonical(tensors: dict[str, Tensor], family: ModelFamily, path: Path) -> None:
    """Write the canonical file of these halves to `path`, which is there whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    save_file(tensors, partial, metadata={"format": FORMAT, "version": VERSION, "family": family.value})
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
