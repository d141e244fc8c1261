"""A canonical LoRA as the files that other programs load: kohya's layout and diffusers'.

AUTOMATIC1111, ComfyUI and kohya's own scripts read the first, diffusers both. The metadata follow kohya's `ss_*` keys
and Stability's ModelSpec (https://github.com/Stability-AI/ModelSpec).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import Family
from pipeline.families.registry import FAMILIES
from pipeline.files import write_atomically
from pipeline.lora.exporting.lycoris_form import lycoris_tensors, plain_halves
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.format.part_header import PartKind
from pipeline.lora.format.parts import LowRank, Magnitude, Part, parts_of
from pipeline.lora.importing.base_layers import CLIP_WRAPPER, LayerKind, Layers
from pipeline.lora.importing.layer_names import OriginalNames

_UNET: Final = "unet"
_ENCODERS: Final = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}
_NORM_ENDS: Final = {"gain": "w_norm", "bias": "b_norm"}
_DIFFUSERS: Final = "This LoRA is of a kind that diffusers cannot read; export it in kohya's layout."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file says of itself: `title`, the `trigger` that activates it, and `resolution` in pixels a side."""

    title: str
    trigger: str
    resolution: int


def export_lora(source: Path, layers: Layers, layout: LoraLayout, about: Exported, target: Path) -> None:
    """Write a canonical LoRA in another program's layout; it changes the same weights by the same numbers.

    What is no plain LoRA is written as LyCORIS does in kohya's layout; diffusers' has DoRA besides.

    Args:
        source: the canonical file.
        layers: of the base that it was made for.
        layout: of the new file.
        about: its metadata.
        target: the new file, which is there whole or not at all.

    Raises:
        UserError: `source` is not a canonical LoRA, or does what the layout has no form for.
    """
    lora = LoraFile.open(source)
    own = load_file(source)
    tensors: dict[str, Tensor] = {}
    for name, headers in lora.layers.items():
        parts = parts_of(headers, name, own)
        match layout:
            case LoraLayout.KOHYA:
                layer = _kohya_name(name, FAMILIES[lora.family], layers)
                ends = lycoris_tensors(parts, layers[name].shape)
            case LoraLayout.DIFFUSERS:
                layer, ends = _diffusers_name(name), _peft_tensors(parts, layers[name].shape)
        tensors |= {f"{layer}.{end}": tensor for end, tensor in ends.items()}
    if (lora.vectors or lora.words) and layout is LoraLayout.DIFFUSERS:
        raise UserError(_DIFFUSERS)
    for place, word in enumerate(lora.words):
        encoders = lora.word_tensors(place)
        tensors |= {f"bundle_emb.{word}.{_ENCODERS[network]}": own[name] for network, name in encoders.items()}
    for name in lora.vectors:
        layer, _, side = name.rpartition(".")
        end = _NORM_ENDS[side] if layers[layer].kind is LayerKind.NORM else "diff_b"
        tensors[f"{_kohya_name(layer, FAMILIES[lora.family], layers)}.{end}"] = own[name]
    with write_atomically(target) as file:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata=_metadata(lora, about)
        )


def _peft_tensors(parts: tuple[Part, ...], weight: tuple[int, ...]) -> dict[str, Tensor]:
    """A layer as PEFT has it: a LoRA, or a DoRA on the output axis."""
    ones = [1] * (len(weight) - 2)
    match parts:
        case [Part(change=LowRank() as halves, magnitude=Magnitude(norms=norms, on_input=False), scale=1.0)]:
            magnitude = {"lora_magnitude_vector": norms.reshape(1, -1, *ones) if ones else norms}
        case _:
            plain = plain_halves(parts)
            if plain is None:
                raise UserError(_DIFFUSERS)
            halves, magnitude = plain, {}
    up = halves.up.reshape(*halves.up.shape, *ones)
    return {"lora_A.weight": halves.down, "lora_B.weight": up} | magnitude


def _kohya_name(name: str, family: Family, layers: Layers) -> str:
    network, _, path = name.partition(".")
    if network != _UNET:
        return f"{family.kohya_prefixes[network]}_{CLIP_WRAPPER}{path}".replace(".", "_")
    own = OriginalNames.of(layers).of_path(path) if family.kohya_original_unet else path
    return f"lora_unet_{own}".replace(".", "_")


def _diffusers_name(name: str) -> str:
    network, _, path = name.partition(".")
    return name if network == _UNET else f"{network}.{CLIP_WRAPPER}{path}"


def _metadata(lora: LoraFile, about: Exported) -> dict[str, str]:
    family = FAMILIES[lora.family]
    headers = [part for parts in lora.layers.values() for part in parts]
    plain = not lora.vectors and all(part.kind is PartKind.LOW_RANK and not part.normed for part in headers)
    return {
        "format": "pt",
        "ss_base_model_version": family.kohya_base,
        "ss_network_module": "networks.lora" if plain else "lycoris.kohya",
        "ss_network_dim": str(lora.rank),
        "ss_network_alpha": str(lora.rank),
        "ss_output_name": about.title,
        "ss_resolution": f"({about.resolution}, {about.resolution})",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": family.modelspec_architecture,
        "modelspec.implementation": "https://github.com/huggingface/diffusers",
        "modelspec.title": about.title,
        "modelspec.trigger_phrase": about.trigger,
        "modelspec.resolution": f"{about.resolution}x{about.resolution}",
    }
