"""The base's own weights, read one tensor at a time, for algorithms whose update depends on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.importing.base_layers import CLIP_WRAPPER, BaseLayer, Layers
from pipeline.lora.importing.layer_names import OriginalNames
from pipeline.models.metadata import component_files
from pipeline.models.safetensors_header import WeightsFile

_OPEN_CLIP_SIDES: Final = {"q_proj": 0, "k_proj": 1, "v_proj": 2}
_OPEN_CLIP_NAMES: Final = {
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
}


class BaseWeights(Protocol):
    """Where the weights of a base model are."""

    def read(self, layer: BaseLayer) -> Tensor:
        """The weight of a layer.

        Args:
            layer: of the base.

        Returns:
            In float64 and of the layer's shape.

        Raises:
            UserError: the model lacks it, or is damaged.
        """
        ...


class FolderWeights:
    """The weights of a diffusers folder.

    Args:
        folder: of the model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, dict[str, Path]] = {}

    def read(self, layer: BaseLayer) -> Tensor:
        """The weight of a layer.

        Args:
            layer: of the base.

        Returns:
            In float64 and of the layer's shape.

        Raises:
            UserError: the folder lacks it, or a file is damaged.
        """
        network, _, path = layer.name.partition(".")
        places = self._files(network)
        for name in (f"{path}.weight", f"{CLIP_WRAPPER}{path}.weight"):
            if name in places:
                return _read(places[name], name).reshape(layer.shape)
        raise UserError(f"The base model lacks {layer.name}; pull it again.")

    def _files(self, network: str) -> dict[str, Path]:
        if network not in self._places:
            files = component_files(self._folder / network)
            self._places[network] = {name: file for file in files for name in WeightsFile.open(file).tensors}
        return self._places[network]


class CheckpointWeights:
    """The weights of a one-file checkpoint, in which they have the original code's names.

    Args:
        path: of the file.
        family: of the model.
        layers: of the model.
    """

    def __init__(self, path: Path, family: ModelFamily, layers: Layers) -> None:
        self._path = path
        self._prefixes = FAMILIES[family].text_encoders
        self._original = OriginalNames.of(layers)

    def read(self, layer: BaseLayer) -> Tensor:
        """The weight of a layer.

        Args:
            layer: of the base.

        Returns:
            In float64 and of the layer's shape.

        Raises:
            UserError: the file lacks it, or is damaged.
        """
        network, _, path = layer.name.partition(".")
        if network == "unet":
            name = f"model.diffusion_model.{self._original.of_path(path)}.weight"
        elif network == "text_encoder":
            name = f"{self._prefixes[network]}{CLIP_WRAPPER}{path}.weight"
        else:
            return self._open_clip(path).reshape(layer.shape)
        return _read(self._path, name).reshape(layer.shape)

    def _open_clip(self, path: str) -> Tensor:
        prefix = self._prefixes["text_encoder_2"]
        if path == "text_projection":
            return _read(self._path, f"{prefix}text_projection").T
        if path == "final_layer_norm":
            return _read(self._path, f"{prefix}ln_final.weight")
        number, _, inside = path.removeprefix("encoder.layers.").partition(".")
        block = f"{prefix}transformer.resblocks.{number}"
        if (side := _OPEN_CLIP_SIDES.get(inside.removeprefix("self_attn."))) is not None:
            return _read(self._path, f"{block}.attn.in_proj_weight").chunk(3)[side]
        return _read(self._path, f"{block}.{_OPEN_CLIP_NAMES[inside]}.weight")


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file to read it tensor by tensor.

    Args:
        path: of the file.

    Yields:
        The `safe_open` handle.

    Raises:
        UserError: the file is damaged, or lacks a tensor that the block asks for.
    """
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged or lacks a tensor; pull it again.") from error


def _read(path: Path, name: str) -> Tensor:
    with opened(path) as file:
        tensor: Tensor = file.get_tensor(name)
    return tensor.to(torch.float64)
