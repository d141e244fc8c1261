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
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.layout import LoraLayout
from pipeline.lora.importing.base_layers import CLIP_WRAPPER, Layers
from pipeline.lora.importing.layer_names import OriginalNames

_UNET: Final = "unet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file says of itself: `title`, the `trigger` that activates it, and `resolution` in pixels a side."""

    title: str
    trigger: str
    resolution: int


def export_lora(source: Path, layers: Layers, layout: LoraLayout, about: Exported, target: Path) -> None:
    """Write a canonical LoRA in another program's layout; the numbers stay the same to the bit.

    Args:
        source: the canonical file.
        layers: of the base that it was made for.
        layout: of the new file.
        about: its metadata.
        target: the new file, which is there whole or not at all.

    Raises:
        UserError: `source` is not a canonical LoRA, or it changes norms or biases.
    """
    lora = LoraFile.open(source)
    if lora.vectors:
        raise UserError("This LoRA changes norms or biases, which not all programs can read; it cannot be exported.")
    halves = load_file(source)
    tensors: dict[str, Tensor] = {}
    for name in lora.layers:
        down, up = halves[f"{name}.down"], halves[f"{name}.up"]
        if down.ndim == 4:
            up = up[:, :, None, None]
        match layout:
            case LoraLayout.KOHYA:
                own = _kohya_name(name, FAMILIES[lora.family], layers)
                alpha = down.new_tensor(down.shape[0])
                tensors |= {f"{own}.lora_down.weight": down, f"{own}.lora_up.weight": up, f"{own}.alpha": alpha}
            case LoraLayout.DIFFUSERS:
                own = _diffusers_name(name)
                tensors |= {f"{own}.lora_A.weight": down, f"{own}.lora_B.weight": up}
    with write_atomically(target) as file:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata=_metadata(lora, about)
        )


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
    return {
        "format": "pt",
        "ss_base_model_version": family.kohya_base,
        "ss_network_module": "networks.lora",
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
