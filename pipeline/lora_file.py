"""The library's canonical LoRA file, the only form in which the engine takes one; `docs/lora-format.md` defines it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.model_facts import ModelFamily
from pipeline.weights_file import TensorHeader, WeightsFile

FORMAT: Final = "limner-lora"
VERSION: Final = "1"
MAX_RANK: Final = 256
NETWORKS: Final = ("unet", "text_encoder", "text_encoder_2")
_TENSOR: Final = re.compile(r"(?P<layer>(unet|text_encoder|text_encoder_2)\.[\w.]+)\.(?P<side>down|up)", re.ASCII)
_DTYPES: Final = frozenset({"F32", "F16", "BF16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraLayer:
    """One layer's change of weight, `up @ down`: `down` is (rank, in) or (rank, in, kh, kw), `up` is (out, rank)."""

    down: tuple[int, ...]
    up: tuple[int, int]

    @property
    def rank(self) -> int:
        """The number of rows of `down`."""
        return self.down[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFile:
    """A canonical LoRA: its layers by name (`unet.` or `text_encoder.` and the module's path in diffusers)."""

    path: Path
    family: ModelFamily
    layers: dict[str, LoraLayer]

    @classmethod
    def open(cls, path: Path) -> "LoraFile":
        """Read and check the header of `path`; raises UserError if it is not a whole canonical LoRA."""
        file = WeightsFile.open(path)
        metadata = file.metadata
        if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
            raise UserError(f"{path.name} is not a LoRA in Limner's form; add it to the library again.")
        try:
            family = ModelFamily(metadata.get("family", ""))
            layers = _layers(file.tensors)
        except (ValueError, KeyError) as error:
            raise UserError(f"{path.name} is damaged ({error}); add it to the library again.") from error
        return cls(path=path, family=family, layers=layers)

    @property
    def rank(self) -> int:
        """The largest rank of any layer."""
        return max(layer.rank for layer in self.layers.values())


def _layers(tensors: dict[str, TensorHeader]) -> dict[str, LoraLayer]:
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None or tensor.dtype not in _DTYPES:
            raise ValueError("a tensor that has no place in it")
        shapes.setdefault(match["layer"], {})[match["side"]] = tensor.shape
    if not shapes:
        raise ValueError("no layers")
    return {name: _layer(sides["down"], sides["up"]) for name, sides in shapes.items()}


def _layer(down: tuple[int, ...], up: tuple[int, ...]) -> LoraLayer:
    if len(down) not in {2, 4} or len(up) != 2 or down[0] != up[1] or not 1 <= down[0] <= MAX_RANK:
        raise ValueError("a layer whose two halves do not fit")
    return LoraLayer(down=down, up=(up[0], up[1]))
