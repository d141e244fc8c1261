"""Writes a diffusers folder as one file in the layout of the original Stable Diffusion code, names and shapes alike."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Tensors = dict[str, Tensor]

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_EDGES = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def save_checkpoint(folder: Path, path: Path, **extra: Tensor) -> None:
    """Write the model in `folder` as one checkpoint at `path`, with `extra` tensors beside it."""
    sdxl = (folder / "text_encoder_2").exists()
    tensors = {f"model.diffusion_model.{name}": value for name, value in _unet(folder).items()}
    tensors |= {f"first_stage_model.{name}": value for name, value in vae_tensors(folder).items()}
    clip = "conditioner.embedders.0.transformer." if sdxl else "cond_stage_model.transformer."
    for name, value in load_file(folder / "text_encoder" / "model.safetensors").items():
        tensors[clip + "text_model." + name.removeprefix("text_model.")] = value
    if sdxl:
        tensors |= {f"conditioner.embedders.1.model.{name}": value for name, value in _open_clip(folder).items()}
    save_file({name: value.clone().contiguous() for name, value in {**tensors, **extra}.items()}, path)


def _weights(folder: Path, part: str) -> Tensors:
    weights: Tensors = load_file(folder / part / "diffusion_pytorch_model.safetensors")
    return weights


def _config(folder: Path, part: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / part / "config.json").read_text())
    return config


def _unet(folder: Path) -> Tensors:
    layers: int = _config(folder, "unet")["layers_per_block"]
    return _placed_upsamplers({_unet_name(name, layers): value for name, value in _weights(folder, "unet").items()})


def _unet_name(name: str, layers: int) -> str:
    for ours, theirs in _UNET_EDGES.items():
        if name.startswith(ours + "."):
            return theirs + name.removeprefix(ours)
    kind, rest = name.split(".", 1)
    if kind == "mid_block":
        part, index, inner = _groups(r"(resnets|attentions)\.(\d)\.(.*)", rest)
        return f"middle_block.{2 * int(index) if part == 'resnets' else 1}.{_inner(part, inner)}"
    block, part, index, inner = _groups(r"(\d)\.(\w+)\.(\d)\.(.*)", rest)
    if kind == "down_blocks":
        number = (layers + 1) * int(block) + 1 + (layers if part == "downsamplers" else int(index))
        place = 0 if part in {"resnets", "downsamplers"} else 1
        inner = inner.replace("conv", "op") if part == "downsamplers" else _inner(part, inner)
        return f"input_blocks.{number}.{place}.{inner}"
    number = (layers + 1) * int(block) + (layers if part == "upsamplers" else int(index))
    if part == "upsamplers":
        return f"output_blocks.{number}.UPSAMPLER.{inner}"
    return f"output_blocks.{number}.{0 if part == 'resnets' else 1}.{_inner(part, inner)}"


def _groups(pattern: str, text: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, text)
    assert found is not None, text
    return found.groups()


def _inner(part: str, inner: str) -> str:
    if part != "resnets":
        return inner
    module, leaf = inner.rsplit(".", 1)
    return f"{_RESNET[module]}.{leaf}"


def _placed_upsamplers(tensors: Tensors) -> Tensors:
    """Give upsamplers their place: after the attention where their block has one, else in its stead."""
    with_attention = {name.split(".")[1] for name in tensors if re.match(r"output_blocks\.\d+\.1\.norm", name)}
    return {
        name.replace("UPSAMPLER", "2" if name.split(".")[1] in with_attention else "1"): value
        for name, value in tensors.items()
    }


def vae_tensors(folder: Path) -> Tensors:
    blocks = len(_config(folder, "vae")["block_out_channels"])
    named = {_vae_name(name, blocks): value for name, value in _weights(folder, "vae").items()}
    # The original attention is made of 1x1 convolutions.
    return {
        name: value[:, :, None, None] if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name) else value
        for name, value in named.items()
    }


def _vae_name(name: str, blocks: int) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{blocks - 1 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{blocks - 1 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    for ours, theirs in _VAE_ATTENTION.items():
        name = name.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{theirs}.")
    return name


def _open_clip(folder: Path) -> Tensors:
    weights = load_file(folder / "text_encoder_2" / "model.safetensors")
    edges = {
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.final_layer_norm.weight": "ln_final.weight",
        "text_model.final_layer_norm.bias": "ln_final.bias",
    }
    named = {theirs: weights[ours] for ours, theirs in edges.items()}
    named["text_projection"] = weights["text_projection.weight"].T
    for name, value in weights.items():
        if match := re.fullmatch(r"text_model\.encoder\.layers\.(\d+)\.(.*)\.(weight|bias)", name):
            layer, module, leaf = match.groups()
            place = f"transformer.resblocks.{layer}"
            if module in _OPEN_CLIP:
                named[f"{place}.{_OPEN_CLIP[module]}.{leaf}"] = value
            elif module == "self_attn.q_proj":
                rows = [weights[name.replace("q_proj", f"{side}_proj")] for side in "qkv"]
                named[f"{place}.attn.in_proj_{leaf}"] = torch.cat(rows)
    return named
