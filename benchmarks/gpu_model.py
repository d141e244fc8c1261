"""SDXL at full size with random weights, LoRAs of usual ranks for it and a ControlNet: speed needs no training."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from pipeline.families.family import ModelFamily
from pipeline.lora.format.parts import LowRank, Part
from pipeline.lora.format.writer import CanonicalWriter
from tests.pipeline.tiny_models import POCKET, save_speck

RANKS = (16, 32, 64, 128)
"""The ranks of the LoRAs, in turn."""

LORAS = 8
ATTENTION_AND_FEED_FORWARD = (".to_q", ".to_k", ".to_v", ".to_out.0", ".proj", ".net.2", ".proj_in", ".proj_out")
_STRENGTH = 0.02

SDXL_UNET: Final[dict[str, Any]] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""The configuration of SDXL's UNet."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured: an image's side in pixels and its steps, images in flight, steps of a training.

    `short` is the number of steps where only the time of a step matters.
    """

    name: str
    side: int
    steps: int
    short: int
    requests: int
    in_flight: tuple[int, ...]
    training_steps: int


FULL = Size(name="sdxl", side=1024, steps=30, short=8, requests=8, in_flight=(1, 4, 8, 16), training_steps=10)
TINY = Size(name="speck", side=64, steps=6, short=6, requests=2, in_flight=(1, 2), training_steps=2)


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Where the model, its LoRAs in both forms and its ControlNet lie, below `root`; made once, by `make`."""

    root: Path
    device: torch.device
    size: Size

    @property
    def dtype(self) -> torch.dtype:
        """The numbers of the weights."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32

    @property
    def model(self) -> Path:
        """The model as a diffusers folder."""
        return self.root / self.size.name

    @property
    def loras(self) -> Path:
        """The LoRAs in Limner's form."""
        return self.root / "loras"

    @property
    def controls(self) -> Path:
        """The ControlNets, by base and kind."""
        return self.root / "controls"

    def diffusers_lora(self, number: int) -> Path:
        """The LoRA `number` as a user of diffusers has it."""
        return self.root / "diffusers-loras" / f"lora{number}.safetensors"

    def make(self) -> None:
        """Write everything."""
        if self.size is FULL:
            self._save_sdxl()
        else:
            save_speck(self.model, middle=True)
        unet = UNet2DConditionModel.from_pretrained(self.model / "unet", torch_dtype=self.dtype).to(self.device)
        self.loras.mkdir(parents=True)
        self.diffusers_lora(0).parent.mkdir()
        for number in range(LORAS):
            self._save_lora(unet, number)
        with _made_on(self.device, self.dtype):
            net = ControlNetModel.from_unet(unet)
        net.save_pretrained(self.controls / "sdxl" / "edge")

    def _save_sdxl(self) -> None:
        torch.manual_seed(0)
        with _made_on(self.device, self.dtype):
            unet = UNet2DConditionModel(**SDXL_UNET)
            vae = AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                sample_size=1024,
                scaling_factor=0.13025,
            )
            first = CLIPTextModel(_text_config(768, 3072, layers=12, heads=12, activation="quick_gelu"))
            second = CLIPTextModelWithProjection(_text_config(1280, 5120, layers=32, heads=20, activation="gelu"))
        StableDiffusionXLPipeline(
            vae=vae,
            unet=unet,
            text_encoder=first,
            text_encoder_2=second,
            tokenizer=CLIPTokenizer.from_pretrained(POCKET / "tokenizer"),
            tokenizer_2=CLIPTokenizer.from_pretrained(POCKET / "tokenizer_2"),
            scheduler=EulerDiscreteScheduler(
                timestep_spacing="leading",
                steps_offset=1,
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
            ),
        ).save_pretrained(self.model)

    def _save_lora(self, unet: nn.Module, number: int) -> None:
        generator = torch.Generator(self.device).manual_seed(number)
        ours = CanonicalWriter(ModelFamily.SDXL)
        theirs: dict[str, Tensor] = {}
        for name, layer in unet.named_modules():
            if isinstance(layer, nn.Linear) and name.endswith(ATTENTION_AND_FEED_FORWARD) and ".attentions." in name:
                down, up = _halves(layer, RANKS[number % len(RANKS)], generator)
                ours.add(f"unet.{name}", Part(change=LowRank(down=down, up=up)))
                theirs |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        ours.save(self.loras / f"lora{number}.safetensors")
        save_file(theirs, self.diffusers_lora(number))


def synchronize(device: torch.device) -> None:
    """Wait until `device` has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _made_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Modules are made on `device` in `dtype` inside this block, at random."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def _halves(layer: nn.Linear, rank: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    down = layer.weight.new_empty(rank, layer.in_features).normal_(generator=generator) / layer.in_features**0.5
    up = layer.weight.new_empty(layer.out_features, rank).normal_(generator=generator) * _STRENGTH / rank**0.5
    return down.detach(), up.detach()


def _text_config(width: int, inner: int, *, layers: int, heads: int, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=1280,
        hidden_act=activation,
        # The tokenizer's own, which is that of the embedded model.
        vocab_size=49408,
        bos_token_id=1561,
        eos_token_id=1562,
        pad_token_id=1562,
    )
