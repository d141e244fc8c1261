"""A model's parts as modules on a device: UNet, VAE and CLIP text encoders of SDXL and SD 1.5, by one code path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

from pipeline.errors import UserError
from pipeline.families.registry import FAMILIES
from pipeline.models.base_configs import base_configs
from pipeline.models.hardware import Hardware, Placement, layout_on
from pipeline.models.metadata import MODEL_INDEX, ModelFacts, component_files, read_json
from pipeline.models.single_file import SingleFile
from pipeline.models.source import ModelSource
from pipeline.models.text_encoder import CLIP_CLASSES, TextEncoder

# How the VAEs of 2022 name their attention layers, and what diffusers calls them now.
_OLD_ATTENTION: Final = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything of one model that the three stages need.

    `home` says where it lies; from host memory `pipeline.models.offload` brings it to its device. `unet` is a
    UNet2DConditionModel, `vae` an AutoencoderKL; `scheduler_config` is what the model's author chose.
    """

    facts: ModelFacts
    hardware: Hardware
    home: Placement
    unet: Any
    vae: Any
    text_encoders: tuple[TextEncoder, ...]
    scheduler_config: Mapping[str, Any]
    zero_empty_negative: bool

    @property
    def scale_factor(self) -> int:
        """Pixels of a side for each latent of a side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


def load_checkpoint(source: ModelSource, hardware: Hardware) -> Checkpoint:
    """Load a model.

    Args:
        source: a model that is on this machine.
        hardware: where it is to run, and in what precision.

    Returns:
        Its parts, on the device if they fit there, else in host memory.

    Raises:
        UserError: the model is missing, damaged, of a family that is not served, or too large.
    """
    facts, path = source.facts(), source.local_path()
    home = hardware.home(facts)
    device = hardware.device if home is Placement.DEVICE else torch.device("cpu")
    if path.is_dir():
        parts = _Parts(
            folder=path,
            weights=lambda part, dtype: read_weights(path / part, device, dtype),
            layout=hardware.layout,
        )
        return _load(facts, parts, read_json(path / "scheduler" / "scheduler_config.json"), hardware, home)
    configs = base_configs(path, facts.family)
    file = SingleFile(path=path, configs=configs, family=facts.family, device=device)
    parts = _Parts(folder=configs, weights=file.weights, layout=hardware.layout)
    return _load(facts, parts, file.scheduler_config(), hardware, home)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Where the parts of a model come from: configs and tokenizers from `folder`, tensors by part and dtype; `layout`
    is that of its convolutions.
    """

    folder: Path
    weights: Callable[[str, torch.dtype], dict[str, Tensor]]
    layout: torch.memory_format


def _load(
    facts: ModelFacts, parts: _Parts, scheduler_config: Mapping[str, Any], hardware: Hardware, home: Placement
) -> Checkpoint:
    unet = _diffusers_module(UNet2DConditionModel, parts, "unet", hardware.dtype)
    vae = _diffusers_module(AutoencoderKL, parts, "vae", hardware.vae_dtype)
    return Checkpoint(
        facts=facts,
        hardware=hardware,
        home=home,
        unet=unet,
        vae=vae,
        text_encoders=tuple(_text_encoder(part, parts, hardware) for part in FAMILIES[facts.family].text_encoders),
        scheduler_config=scheduler_config,
        zero_empty_negative=bool(read_json(parts.folder / MODEL_INDEX).get("force_zeros_for_empty_prompt", False)),
    )


def load_module(kind: Any, folder: Path, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Load one diffusers module.

    Args:
        kind: its class, such as AutoencoderKL.
        folder: holds its `config.json` and safetensors.
        device: where the weights go.
        dtype: what they are cast to.

    Returns:
        The module, frozen, in evaluation mode and in the device's layout.

    Raises:
        UserError: something is missing or damaged, or is of another architecture.
    """
    parts = _Parts(
        folder=folder,
        weights=lambda part, dtype: read_weights(folder / part, device, dtype),
        layout=layout_on(device),
    )
    return _diffusers_module(kind, parts, ".", dtype)


def _diffusers_module(kind: Any, parts: _Parts, part: str, dtype: torch.dtype) -> nn.Module:
    place = parts.folder / part
    config = read_json(place / "config.json")
    module = _build(lambda: kind.from_config(config), place)
    weights = {current_name(name): weight for name, weight in parts.weights(part, dtype).items()}
    return _filled(module, weights, place).to(memory_format=parts.layout)  # type: ignore[call-overload, no-any-return]  # not in the stub


def _text_encoder(part: str, parts: _Parts, hardware: Hardware) -> TextEncoder:
    kind = CLIP_CLASSES[part]
    place = parts.folder / part
    config = CLIPTextConfig(**read_json(place / "config.json"))
    module = _build(lambda: kind(config), place)
    weights = parts.weights(part, hardware.dtype)
    if kind is CLIPTextModel:
        weights = {name.removeprefix("text_model."): weight for name, weight in weights.items()}
    _restore_positions(module, config.max_position_embeddings, hardware.device)
    model = _filled(module, weights, place)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(
            parts.folder / part.replace("text_encoder", "tokenizer"), local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise UserError(f"The tokenizer beside {place} cannot be read; pull it again.") from error
    return TextEncoder(network=part, tokenizer=tokenizer, model=model, device=hardware.device)


def _build(make: Callable[[], nn.Module], folder: Path) -> nn.Module:
    """The module without memory for its weights, which come from the file instead of being drawn at random first."""
    try:
        with torch.device("meta"):
            return make()
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"The config in {folder} describes no model that Limner knows; pull it again.") from error


def _filled(module: nn.Module, weights: dict[str, Tensor], folder: Path) -> nn.Module:
    try:
        missing, _ = module.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        raise UserError(f"The weights in {folder} do not fit their config; pull the model again.") from error
    if missing:
        raise UserError(f"The weights in {folder} lack {len(missing)} tensors, such as {missing[0]}; pull them again.")
    return module.requires_grad_(requires_grad=False).eval()


def _restore_positions(module: nn.Module, count: int, device: torch.device) -> None:
    """Give CLIP its position numbers, which are in no file."""
    for part in module.modules():
        if "position_ids" in dict(part.named_buffers(recurse=False)):
            part.register_buffer("position_ids", torch.arange(count, device=device)[None], persistent=False)


def read_weights(folder: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """All tensors of a component's folder.

    Args:
        folder: holds the safetensors, in one file or in shards.
        device: where the tensors go.
        dtype: what the floating ones are cast to; the others stay as they are.

    Returns:
        The tensors by the file's own names.

    Raises:
        UserError: there are none, or a file is damaged.
    """
    weights = {}
    for path in component_files(folder):
        try:
            with safe_open(path, framework="pt", device=str(device)) as file:
                for name in file.keys():  # noqa: SIM118  safe_open cannot be iterated
                    weights[name] = _cast(file.get_tensor(name), dtype)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} is damaged ({error}); pull the model again.") from error
    return weights


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def current_name(name: str) -> str:
    """What diffusers calls a tensor today.

    Args:
        name: as a file has it, which may be from 2022.

    Returns:
        The name in the module.
    """
    for old, new in _OLD_ATTENTION.items():
        if ".attentions." in name:
            name = name.replace(old, new)
    return name
