"""A model's parts as modules on a device: UNet, VAE and CLIP text encoders of SDXL and SD 1.5, by one code path."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.memory import memory_in_words
from pipeline.models.base_configs import base_configs
from pipeline.models.config_check import read_config
from pipeline.models.config_keys import TEXT_ENCODER, Effect
from pipeline.models.hardware import Hardware, Placement, layout_on
from pipeline.models.latent_scale import LatentScale
from pipeline.models.metadata import ModelFacts
from pipeline.models.model_files import MODEL_INDEX, component_files, read_json
from pipeline.models.scheduler_config import scheduler_config
from pipeline.models.single_file import SingleFile
from pipeline.models.source import ModelSource
from pipeline.models.text_encoder import CLIP_CLASSES, TextEncoder

# The others are about how transformers would train, save or return, not about what the encoder says.
_CLIP_KEYS: Final = frozenset(name for name, key in TEXT_ENCODER.items() if key.effect is Effect.BUILT)
# What some files hold besides the weights of a part, and no image needs.
_UNNEEDED: Final = re.compile(
    r"position_ids|logit_scale|text_projection|vision_model\.|visual_projection|model_ema\.|loss\."
)
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
    UNet2DConditionModel, `vae` an AutoencoderKL with latents of `latent_scale`; `scheduler_config` is what the model's
    author chose, and `zero_empty_negative` its `force_zeros_for_empty_prompt`.
    """

    facts: ModelFacts
    hardware: Hardware
    home: Placement
    unet: Any
    vae: Any
    latent_scale: LatentScale
    text_encoders: tuple[TextEncoder, ...]
    scheduler_config: Mapping[str, Any]
    zero_empty_negative: bool

    @property
    def scale_factor(self) -> int:
        """Pixels of a side for each latent of a side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def guidance_width(self) -> int | None:
        """How many numbers tell the denoiser of the guidance that it was distilled with (Meng et al., 2023; arXiv
        2210.03142), as in a latent consistency model; None where guidance takes a second row.
        """
        width: int | None = self.unet.config.time_cond_proj_dim
        return width


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
            config=partial(read_config, path),
            weights=lambda part, dtype: read_weights(path / part, device, dtype),
            layout=hardware.layout,
        )
        return _load(facts, parts, scheduler_config(path, facts.family), hardware, home)
    configs = base_configs(path, facts.family)
    file = SingleFile(path=path, configs=configs, family=facts.family, device=device)
    parts = _Parts(
        folder=configs,
        config=file.config,
        weights=file.weights,
        layout=hardware.layout,
        no_fit=lambda part: f"{path.name} has {file.no_fit(part)}",
    )
    return _load(facts, parts, file.scheduler_config(), hardware, home)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Where the parts of a model come from: its tokenizers from `folder`, configs by part, tensors by part and dtype;
    `layout` is that of its convolutions, `no_fit` what to say where tensors do not fit a part's config.
    """

    folder: Path
    config: Callable[[str], dict[str, Any]]
    weights: Callable[[str, torch.dtype], dict[str, Tensor]]
    layout: torch.memory_format
    no_fit: Callable[[str], str | None] = lambda _: None


def _load(
    facts: ModelFacts, parts: _Parts, scheduler_config: Mapping[str, Any], hardware: Hardware, home: Placement
) -> Checkpoint:
    unet = _diffusers_module(UNet2DConditionModel, parts, "unet", hardware.dtype)
    vae: Any = _diffusers_module(AutoencoderKL, parts, "vae", hardware.vae_dtype)
    return Checkpoint(
        facts=facts,
        hardware=hardware,
        home=home,
        unet=unet,
        vae=vae,
        latent_scale=LatentScale(vae.config),
        text_encoders=tuple(_text_encoder(part, parts, hardware) for part in FAMILIES[facts.family].text_encoders),
        scheduler_config=scheduler_config,
        zero_empty_negative=_zeroes_empty_negative(parts.folder, facts.family),
    )


def _zeroes_empty_negative(folder: Path, family: ModelFamily) -> bool:
    """SDXL's pipeline takes it for granted where a model does not say; the one before it does not know it."""
    said = read_json(folder / MODEL_INDEX).get("force_zeros_for_empty_prompt", True)
    return FAMILIES[family].pooled_and_sizes and bool(said)


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
        config=partial(read_config, folder),
        weights=lambda part, dtype: read_weights(folder / part, device, dtype),
        layout=layout_on(device),
    )
    return _diffusers_module(kind, parts, ".", dtype)


def _diffusers_module(kind: Any, parts: _Parts, part: str, dtype: torch.dtype) -> nn.Module:
    place = parts.folder / part
    config = parts.config(part)
    module = _build(lambda: kind.from_config(config), place)
    weights = {current_name(name): weight for name, weight in parts.weights(part, dtype).items()}
    return _filled(module, weights, place, parts.no_fit(part)).to(memory_format=parts.layout)  # type: ignore[call-overload, no-any-return]  # not in the stub


def _text_encoder(part: str, parts: _Parts, hardware: Hardware) -> TextEncoder:
    kind = CLIP_CLASSES[part]
    place = parts.folder / part
    said = parts.config(part)
    config = CLIPTextConfig(**{name: value for name, value in said.items() if name in _CLIP_KEYS})
    module = _build(lambda: kind(config), place)
    weights = parts.weights(part, hardware.dtype)
    if kind is CLIPTextModel:
        weights = {name.removeprefix("text_model."): weight for name, weight in weights.items()}
    _restore_positions(module, config.max_position_embeddings, hardware.device)
    model = _filled(module, weights, place, parts.no_fit(part))
    try:
        tokenizer = CLIPTokenizer.from_pretrained(
            parts.folder / part.replace("text_encoder", "tokenizer"), local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise UserError(f"The tokenizer beside {place} cannot be read; pull it again.") from error
    # Old files name no length, which transformers takes for one without end.
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
    return TextEncoder(network=part, tokenizer=tokenizer, model=model, device=hardware.device)


def _build(make: Callable[[], nn.Module], folder: Path) -> nn.Module:
    """The module without memory for its weights, which come from the file instead of being drawn at random first."""
    try:
        with torch.device("meta"):
            return make()
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"The config in {folder} describes no model that Limner knows; pull it again.") from error


def _filled(module: nn.Module, weights: dict[str, Tensor], folder: Path, no_fit: str | None = None) -> nn.Module:
    if any(name in weights and not weights[name].is_floating_point() for name, _ in module.named_parameters()):
        raise UserError(f"The weights in {folder} are whole numbers; choose a version that is not quantized.")
    try:
        missing, extra = module.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        if no_fit:
            raise UserError(no_fit) from error
        raise UserError(f"The weights in {folder} do not fit their config; pull the model again.") from error
    unread = [name for name in extra if not _UNNEEDED.search(name)]
    if no_fit and (missing or unread):
        raise UserError(no_fit)
    if missing:
        raise UserError(f"The weights in {folder} lack {len(missing)} tensors, such as {missing[0]}; pull them again.")
    if unread:
        raise UserError(
            f"The weights in {folder} hold {len(unread)} tensors that their config does not tell of, such as "
            f"{unread[0]}; choose a version of the model that is neither quantized nor extended."
        )
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
            with memory_in_words(path.name), safe_open(path, framework="pt", device=str(device)) as file:
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
