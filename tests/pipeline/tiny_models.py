"""Small random models with the shapes of real ones, saved as diffusers folders."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    ControlNetUnionModel,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

POCKET = Path(__file__).parents[2] / "pipeline" / "pocket"
_BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def save_nano(folder: Path) -> None:
    """SDXL's true topology (transformers 0, 2 and 10 deep, two layers a block) with narrow channels."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(2, 4, 8),
        norm_num_groups=16,
        cross_attention_dim=64,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * 6 + 32,
    )
    _save_sdxl(folder, unet)


def save_speck(folder: Path, *, middle: bool = False) -> None:
    """The least that has all kinds of SDXL's layers: quick to compile. ControlNets need the middle."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16,),
        down_block_types=("CrossAttnDownBlock2D",),
        mid_block_type="UNetMidBlock2DCrossAttn" if middle else None,
        up_block_types=("UpBlock2D",),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=8,
        cross_attention_dim=64,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * 6 + 32,
    )
    _save_sdxl(folder, unet)


def save_mote(folder: Path) -> None:
    """SDXL's kinds of blocks, one layer each, and a middle that ControlNets can copy: quick to run.

    Its second tokenizer cuts words at every "o", as the real one cuts at every "!", so its texts have more tokens.
    """
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=8,
        cross_attention_dim=64,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * 6 + 32,
    )
    _save_sdxl(folder, unet)
    CLIPTokenizer.from_pretrained(POCKET / "tokenizer_2", pad_token="o").save_pretrained(folder / "tokenizer_2")


def _save_sdxl(folder: Path, unet: UNet2DConditionModel) -> None:
    StableDiffusionXLPipeline(
        vae=_vae(0.13025),
        unet=unet,
        text_encoder=CLIPTextModel(_text_config()),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(hidden_act="gelu")),
        tokenizer=CLIPTokenizer.from_pretrained(POCKET / "tokenizer"),
        tokenizer_2=CLIPTokenizer.from_pretrained(POCKET / "tokenizer_2"),
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **_BETAS),
    ).save_pretrained(folder)


def save_sd15(folder: Path) -> None:
    """SD 1.5's architecture, one layer a block, with narrow channels."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64, 64, 64),
        layers_per_block=1,
        attention_head_dim=8,
        norm_num_groups=16,
        cross_attention_dim=32,
    )
    _save_sd(folder, unet)


def save_mite(folder: Path) -> None:
    """SD 1.5's kinds of blocks, two instead of four: quick to run."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=8,
        cross_attention_dim=32,
    )
    _save_sd(folder, unet)


def _save_sd(folder: Path, unet: UNet2DConditionModel) -> None:
    StableDiffusionPipeline(
        vae=_vae(0.18215),
        unet=unet,
        text_encoder=CLIPTextModel(_text_config()),
        tokenizer=CLIPTokenizer.from_pretrained(POCKET / "tokenizer"),
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False, **_BETAS),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def save_control(folder: Path, unet: UNet2DConditionModel, seed: int, **config: Any) -> None:
    """A ControlNet for `unet` whose last layers say something, which untrained ones do not."""
    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 16))
    net.register_to_config(**config)
    _save_outspoken(net, folder)


def save_control_union(folder: Path, unet: UNet2DConditionModel, seed: int, types: int) -> None:
    """A ControlNet-Union for `unet` that reads `types` types, and says something."""
    torch.manual_seed(seed)
    width = unet.config.block_out_channels[0]
    like = ControlNetUnionModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 16)).config
    net = ControlNetUnionModel.from_config(
        like, num_control_type=types, num_trans_channel=width, num_proj_channel=width, num_trans_head=2
    )
    _save_outspoken(net, folder)


def _save_outspoken(net: Any, folder: Path) -> None:
    for convolution in (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out):
        torch.nn.init.normal_(convolution.weight, std=0.1)
    net.save_pretrained(folder)


def _vae(scaling_factor: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=scaling_factor,
    )


def _text_config(hidden_act: str = "quick_gelu") -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=1563,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        projection_dim=32,
        hidden_act=hidden_act,
        bos_token_id=1561,
        eos_token_id=1562,
        pad_token_id=1562,
    )
