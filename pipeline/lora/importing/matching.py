"""The layers of a file matched with those of the base, all of them or none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.importing.base_layers import BaseLayer
from pipeline.lora.importing.families import MadeFor, made_for, sides
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
# OneTrainer and ComfyUI's code give SDXL's first text encoder a projection, which no image depends on.
_UNUSED: Final = re.compile(
    r"(?:lora_te1_|text_encoder\.|(?:text_encoders\.)?clip_l\.(?:transformer\.)?)(?:text_model[._])?text_projection"
)
_EDITORS: Final = {9: "an inpainting model", 8: "an editing model (InstructPix2Pix)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The file's own name for each layer of the base that it changes; `repeats` are second names of such layers.

    `unused` are layers that no image of the base depends on.
    """

    names: Mapping[BaseLayer, str]
    layout: str
    repeats: Mapping[BaseLayer, str]
    unused: tuple[str, ...] = ()


def match(layers: FileLayers, known: LayerNames, family: ModelFamily, *stated: str) -> Matched:
    """Find the base's layer for each of a file's layers.

    A file that holds all its layers by Stability's names and again by diffusers' is read by the latter.

    Args:
        layers: of the file.
        known: the base's layers by their names.
        family: of the base.
        *stated: what the page that the file came from, and its adapter config, say that it is for.

    Returns:
        All of the file's layers.

    Raises:
        UserError: a layer is not in the base, or a tensor is left over.
    """
    bases = made_for(layers, *stated)
    bases.refuse_other_than(family)
    names: dict[BaseLayer, str] = {}
    repeats: dict[BaseLayer, str] = {}
    unknown: list[str] = []
    unused: list[str] = []
    by_number = numbered(layers, {layer.name: layer for layer in known.layers.values()})
    for name in layers.layers:
        if (layer := known.find(name) or by_number.get(name)) is None:
            (unused if _UNUSED.fullmatch(name) else unknown).append(name)
        elif layer in names:
            names[layer], repeats[layer] = _chosen(names[layer], name, layer)
        else:
            names[layer] = name
    _refuse_inpainting(layers, names)
    if not names:
        raise UserError(_nothing_known(layers, unknown, FAMILIES[family].name, bases))
    if unknown:
        raise UserError(
            f"{len(unknown)} of this file's {len(layers.layers)} layers are not in {FAMILIES[family].name}, "
            f"such as {clean(unknown[0], _SHOWN)}."
        )
    if layers.unknown:
        raise UserError(f"This file holds tensors of an unknown kind, such as {_end(layers.unknown[0])}.")
    return Matched(names=names, layout=layout(layers), repeats=repeats, unused=tuple(unused))


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


def _nothing_known(layers: FileLayers, unknown: list[str], ours: str, made: MadeFor) -> str:
    """Why none of a file's layers is the base's."""
    if layers.unknown:
        return f"This file holds no LoRA of a known kind, but tensors such as {_end(layers.unknown[0])}."
    if ours in made.bases and unknown:
        return (
            f"This file names {ours}'s layers in a way that Limner does not know, such as {clean(unknown[0], _SHOWN)}."
        )
    return f"This file changes nothing that {ours} has; it is made for another base model."


def _end(name: str) -> str:
    """The end of a tensor's name, which says its kind."""
    own = clean(name, len(name))
    return own if len(own) <= _SHOWN else f"…{own[-_SHOWN:]}"


def _refuse_inpainting(layers: FileLayers, names: Mapping[BaseLayer, str]) -> None:
    for layer, name in names.items():
        if layer.name == "unet.conv_in" and (inputs := sides(layers, name)[0]) in _EDITORS:
            raise UserError(
                f"This LoRA is made for {_EDITORS[inputs]}, whose first layer has {inputs} channels; "
                f"this server's has {layer.inputs}."
            )


def _chosen(first: str, second: str, layer: BaseLayer) -> tuple[str, str]:
    if bool(_ORIGINAL.match(first)) is bool(_ORIGINAL.match(second)):
        raise UserError(f"This file changes {layer.name} twice, under two names.")
    return (second, first) if _ORIGINAL.match(first) else (first, second)
