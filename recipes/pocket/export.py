"""The shipped folder: `pocket` as `StableDiffusionXLPipeline.from_pretrained` reads it, in half precision."""

import copy
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from recipes.pocket.architecture import build_scheduler

SHIPPED = Path(__file__).parents[2] / "pipeline" / "pocket"


def assemble(
    *,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    text_encoder_2: CLIPTextModelWithProjection,
    tokenizer: CLIPTokenizer,
) -> StableDiffusionXLPipeline:
    """The parts as one pipeline; both encoders read through the same vocabulary."""
    pipe = StableDiffusionXLPipeline(
        vae=vae,
        unet=unet,
        text_encoder=text_encoder,
        text_encoder_2=text_encoder_2,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=build_scheduler(),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load(folder: Path) -> StableDiffusionXLPipeline:
    """The pipeline in a folder, in single precision."""
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def save(pipe: StableDiffusionXLPipeline, folder: Path) -> None:
    """Writes a half-precision copy of the pipeline; the pipeline itself stays as it is."""
    copy.deepcopy(pipe).to(dtype=torch.float16).save_pretrained(folder)
    _tidy(folder)


def load_control(folder: Path) -> ControlNetModel:
    """The ControlNet in a folder, in single precision."""
    return ControlNetModel.from_pretrained(folder, dtype=torch.float32)


def save_control(net: ControlNetModel, folder: Path) -> None:
    """Writes a half-precision copy of a ControlNet."""
    copy.deepcopy(net).to(dtype=torch.float16).save_pretrained(folder)
    _tidy(folder)


def _tidy(folder: Path) -> None:
    # The libraries record where a part was loaded from, which is of no use to others.
    for config in folder.rglob("*.json"):
        lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
        config.write_text("".join(line for line in lines if '"_name_or_path"' not in line), encoding="utf-8")
