"""The layers of a file matched with those of the base, all of them or none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.families import made_for
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.layer_names import LayerNames
from pipeline.lora.importing.numbered_layers import numbered
from pipeline.lora.importing.parts import TensorRole
from pipeline.lora.importing.report import clean

_ORIGINAL: Final = re.compile(
    r"(lora_unet_|lycoris_(unet_)?|(model\.)?diffusion_model\.|unet\.|)"
    r"(input_blocks|middle_block|output_blocks|time_embed|label_emb|out)[._]\d"
)
_LAYOUTS: Final = (
    ("unet:", "cloneofsimo"),
    ("text_encoder:", "cloneofsimo"),
    ("lora_unet_", "kohya"),
    ("lora_te", "kohya"),
    ("lycoris_", "LyCORIS"),
    ("base_model.", "PEFT"),
    ("unet.base_model.", "PEFT"),
    ("diffusion_model.", "ComfyUI"),
    ("model.diffusion_model.", "ComfyUI"),
    ("text_encoders.", "ComfyUI"),
    ("clip_", "OMI"),
    ("unet.", "diffusers"),
    ("text_encoder", "diffusers"),
)
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The file's own name for each layer of the base that it changes; `twice` counts names that repeated a layer."""

    names: Mapping[BaseLayer, str]
    layout: str
    twice: int


def match(layers: FileLayers, known: LayerNames, family: ModelFamily, base_model: str = "") -> Matched:
    """Find the base's layer for each of a file's layers.

    A file that holds all its layers by Stability's names and again by diffusers' is read by the latter.

    Args:
        layers: of the file.
        known: the base's layers by their names.
        family: of the base.
        base_model: what the page that the file came from says that it is for.

    Returns:
        All of the file's layers.

    Raises:
        UserError: a layer is not in the base, or a tensor is left over.
    """
    made_for(layers, base_model).refuse_other_than(family)
    names: dict[BaseLayer, str] = {}
    unknown, twice = [], 0
    by_number = numbered(layers, {layer.name: layer for layer in known.layers.values()})
    for name in layers.layers:
        if (layer := known.find(name) or by_number.get(name)) is None:
            unknown.append(name)
        elif layer in names:
            names[layer] = _chosen(names[layer], name, layer)
            twice += 1
        else:
            names[layer] = name
    ours = FAMILIES[family].name
    if not names and not layers.unknown:
        raise UserError(f"This file changes nothing that {ours} has; it is made for another base model.")
    if not names:
        raise UserError(
            f"This file holds no LoRA of a known kind, but tensors such as {clean(layers.unknown[0], _SHOWN)}."
        )
    if unknown:
        raise UserError(
            f"{len(unknown)} of this file's {len(layers.layers)} layers are not in {ours}, "
            f"such as {clean(unknown[0], _SHOWN)}."
        )
    if layers.unknown:
        raise UserError(f"This file holds tensors of an unknown kind, such as {clean(layers.unknown[0], _SHOWN)}.")
    return Matched(names=names, layout=layout(layers), twice=twice)


def layout(layers: FileLayers) -> str:
    """The program whose way of naming layers a file follows.

    Args:
        layers: of the file, at least one.

    Returns:
        Its name, for people.
    """
    first = next(iter(layers.layers))
    own = next((words for prefix, words in _LAYOUTS if first.startswith(prefix)), "bare")
    if own == "kohya" and any(_ORIGINAL.match(name) for name in layers.layers):
        return "kohya, Stability's names"
    if own in {"diffusers", "bare"} and any(_ORIGINAL.match(name) for name in layers.layers):
        return "OMI" if own == "diffusers" else "Stability's names"
    tensors = layers.layers[first]
    if own == "diffusers" and ".processor." in tensors.get(TensorRole.DOWN, ""):
        return "diffusers of 2023"
    return own


def _chosen(first: str, second: str, layer: BaseLayer) -> str:
    if bool(_ORIGINAL.match(first)) is bool(_ORIGINAL.match(second)):
        raise UserError(f"This file changes {layer.name} twice, under two names.")
    return second if _ORIGINAL.match(first) else first
