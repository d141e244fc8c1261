"""Writes published configs as models: random weights in the files that such a model is published in."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests.pipeline.ldm_checkpoint import save_checkpoint
from tests.pipeline.models.published import Published, save_configs, write_config
from tests.pipeline.tiny_models import POCKET

_UNET = "diffusion_pytorch_model.safetensors"
Change = Callable[[Path], None]
NOTHING: Mapping[str, Tensor] = MappingProxyType({})


def save_model(model: Published, folder: Path) -> Path:
    """The whole model in single precision."""
    torch.manual_seed(0)
    UNet2DConditionModel.from_config(model.unet).save_pretrained(folder / "unet")
    AutoencoderKL.from_config(model.vae).save_pretrained(folder / "vae")
    for number, config in enumerate(model.texts):
        suffix = "" if number == 0 else f"_{number + 1}"
        kind = CLIPTextModelWithProjection if number else CLIPTextModel
        kind(CLIPTextConfig(**config)).save_pretrained(folder / f"text_encoder{suffix}")
        # The real second one pads with "!", which the small vocabulary has not.
        padding = {"pad_token": "o"} if number else {}
        tokenizer = CLIPTokenizer.from_pretrained(POCKET / f"tokenizer{suffix}", **padding)
        tokenizer.save_pretrained(folder / f"tokenizer{suffix}")
    return save_configs(model, folder)


def cast(dtype: torch.dtype, variant: str = "") -> Change:
    """All weights in another precision, in files that may say so."""

    def change(folder: Path) -> None:
        for path in list(folder.rglob("*.safetensors")):
            tensors = {name: tensor.to(dtype) for name, tensor in load_file(path).items()}
            path.unlink()
            save_file(tensors, path.with_suffix(f"{variant}.safetensors"), {"format": "pt"})

    return change


def in_both_precisions(folder: Path) -> None:
    """Half precision beside the whole, whose numbers are others: the whole counts."""
    for path in list(folder.rglob("*.safetensors")):
        halves = {name: 2 * tensor.half() for name, tensor in load_file(path).items()}
        save_file(halves, path.with_suffix(".fp16.safetensors"), {"format": "pt"})


def with_unaveraged_weights(folder: Path) -> None:
    """SD 1.5's second UNet, before its moving average."""
    path = folder / "unet" / _UNET
    others = {name: -tensor for name, tensor in load_file(path).items()}
    save_file(others, path.with_suffix(".non_ema.safetensors"), {"format": "pt"})


def sharded(folder: Path) -> None:
    """The UNet in three files and their index."""
    path = folder / "unet" / _UNET
    tensors = load_file(path)
    path.unlink()
    places: dict[str, str] = {}
    for shard in range(3):
        file = f"diffusion_pytorch_model-0000{shard + 1}-of-00003.safetensors"
        own = {name: tensors[name] for name in sorted(tensors)[shard::3]}
        save_file(own, path.with_name(file), {"format": "pt"})
        places |= dict.fromkeys(own, file)
    write_config(path.with_name(f"{_UNET}.index.json"), {"metadata": {}, "weight_map": places})


def with_old_names(folder: Path) -> None:
    """The VAE's attention by its names of 2022."""
    path = folder / "vae" / _UNET
    new = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    tensors = load_file(path)
    for ours, theirs in new.items():
        tensors = {name.replace(ours, theirs): tensor for name, tensor in tensors.items()}
    save_file(tensors, path, {"format": "pt"})


def as_pickles(folder: Path) -> None:
    """What was published before safetensors."""
    for path in list(folder.rglob("*.safetensors")):
        torch.save(load_file(path), path.with_suffix(".bin"))
        path.unlink()


def as_file(
    extra: Mapping[str, Tensor] = NOTHING, *, dtype: torch.dtype | None = None, configs: Published | None = None
) -> Callable[[Path], Path]:
    """One file as trainers write it, with `extra` tensors; beside it lie its own configs, or those of another model."""

    def write(folder: Path) -> Path:
        path = folder.with_name(folder.name + "-file.safetensors")
        save_checkpoint(folder, path, **extra)
        if dtype is not None:
            save_file({name: _narrow(tensor, dtype) for name, tensor in load_file(path).items()}, path)
        beside = Path(shutil.copytree(folder, path.with_suffix(""), ignore=shutil.ignore_patterns("*.safetensors")))
        if configs is not None:
            save_configs(configs, beside)
        return path

    return write


def _narrow(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def as_outline(width: int, channels: int = 4) -> Callable[[Path], Path]:
    """One file with the tensors alone that tell the families apart: of the true width and channels."""

    def write(folder: Path) -> Path:
        path = folder.with_name(folder.name + "-file.safetensors")
        first = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(1, channels, 3, 3)} if width else {}
        keys = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
        save_file({**first, keys: torch.zeros(1, width or 768)}, path)
        return path

    return write
