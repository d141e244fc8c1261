"""The layers of a base model that a LoRA may change: their names, kinds and shapes, without their weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers.models.clip.configuration_clip import CLIPTextConfig

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.model_files import read_json
from pipeline.models.text_encoder import CLIP_CLASSES

CLIP_WRAPPER: Final = "text_model."
"""Some of transformers' classes wrap CLIP's text model and some are it; canonical names leave the wrapper out."""


class LayerKind(StrEnum):
    """What a layer computes."""

    LINEAR = "linear"
    CONVOLUTION = "convolution"
    NORM = "norm"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLayer:
    """One layer of the base: its canonical `name` (`unet.` and the path in diffusers) and its weight's shape.

    The shape of a Linear is (out, in), of a Conv2d (out, in, kernel height, kernel width), of a norm (channels,).
    """

    name: str
    kind: LayerKind
    shape: tuple[int, ...]
    bias: bool

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.shape[0]

    @property
    def inputs(self) -> int:
        """Input channels; a norm has none."""
        return self.shape[1]

    @property
    def kernel(self) -> tuple[int, ...]:
        """(height, width); () for a Linear."""
        return self.shape[2:]


Layers = Mapping[str, BaseLayer]


def layers_of(networks: Mapping[str, nn.Module]) -> dict[str, BaseLayer]:
    """The layers of networks that a LoRA may change.

    Args:
        networks: by name: `unet`, `text_encoder`, `text_encoder_2`.

    Returns:
        Every Linear, ungrouped Conv2d and norm, by canonical name.
    """
    found = {}
    for network, module in networks.items():
        for path, layer in module.named_modules():
            if (kind := _kind(layer)) is not None:
                name = f"{network}.{path.removeprefix(CLIP_WRAPPER)}"
                shape = tuple(int(side) for side in layer.weight.shape)
                found[name] = BaseLayer(name=name, kind=kind, shape=shape, bias=layer.bias is not None)
    return found


def skeleton(configs: Path, family: ModelFamily) -> dict[str, BaseLayer]:
    """The layers of a model, from its configs alone.

    Args:
        configs: a diffusers folder; no weight in it is read.
        family: of the model.

    Returns:
        Every Linear, ungrouped Conv2d and norm, by canonical name.

    Raises:
        UserError: a config is missing, or describes no model that Limner knows.
    """
    networks = {"unet": _empty(configs / "unet", UNet2DConditionModel.from_config)}
    for part in FAMILIES[family].text_encoders:
        networks[part] = _empty(configs / part, partial(_text_encoder, part))
    return layers_of(networks)


def _text_encoder(part: str, config: dict[str, Any]) -> nn.Module:
    model: nn.Module = CLIP_CLASSES[part](CLIPTextConfig(**config))
    return model


def _empty(folder: Path, make: Callable[[Any], nn.Module]) -> nn.Module:
    try:
        with torch.device("meta"):
            return make(read_json(folder / "config.json"))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"The config in {folder} describes no model that Limner knows; pull it again.") from error


def _kind(layer: nn.Module) -> LayerKind | None:
    match layer:
        case nn.Linear():
            return LayerKind.LINEAR
        case nn.Conv2d(groups=1):
            return LayerKind.CONVOLUTION
        case nn.LayerNorm() | nn.GroupNorm():
            return LayerKind.NORM
        case _:
            return None
