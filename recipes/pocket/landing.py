"""Puts the weights that a timed run returned into the folder that ships."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from recipes.pocket import export
from recipes.pocket.conditioned_unet import ConditionedUNet
from recipes.pocket.scene_judge import WEIGHTS


def land(returned: Path, start: Path, shipped: Path, judge: Path = WEIGHTS) -> None:
    """Writes the pipeline with the weights in `returned`, its shape taken from `start`, and the judge."""
    parts = load_file(returned / "parts.safetensors")
    model, vae = ConditionedUNet.load(start).float(), AutoencoderKL.from_pretrained(start / "vae")
    _fill(vae, _named(parts, "vae"))
    _fill(model.text_encoder, _named(parts, "text_encoder"))
    _fill(model.text_encoder_2, _named(parts, "text_encoder_2"))
    down, rest = (load_file(returned / f"{name}.safetensors") for name in ("unet-down", "unet-rest"))
    unet = {f"down_blocks.{key}": value for key, value in _named(down, "down").items()}
    unet |= {f"mid_block.{key}": value for key, value in _named(down, "mid").items()}
    _fill(model.unet, unet | _named(rest, "rest"))
    tokenizer = CLIPTokenizer.from_pretrained(start / "tokenizer")
    pipe = export.assemble(
        vae=vae,
        unet=model.unet,
        text_encoder=model.text_encoder,
        text_encoder_2=model.text_encoder_2,
        tokenizer=tokenizer,
    )
    export.save(pipe, shipped)
    save_file(_named(parts, "judge"), judge)


def _named(weights: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{part}."): value for key, value in weights.items() if key.startswith(f"{part}.")}


def _fill(module: nn.Module, weights: dict[str, Tensor]) -> None:
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise ValueError(f"the weights of {broken[0]} are no numbers")
    module.load_state_dict({name: value.float() for name, value in weights.items()})
