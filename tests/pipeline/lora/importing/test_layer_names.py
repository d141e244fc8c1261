"""Every name of every layer leads to exactly one layer."""

from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from pipeline.lora.importing.base_layers import BaseLayer, LayerKind, layers_of
from pipeline.lora.importing.layer_names import LayerNames, OriginalNames

# The sizes of the real ones, from their published configs.
SDXL_UNET: dict[str, Any] = {
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
SD15_UNET: dict[str, Any] = {"cross_attention_dim": 768, "attention_head_dim": 8}
CLIP_L: dict[str, Any] = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
CLIP_G: dict[str, Any] = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32}


def sdxl() -> dict[str, BaseLayer]:
    with torch.device("meta"):
        return layers_of(
            {
                "unet": UNet2DConditionModel(**SDXL_UNET),
                "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_L)),
                "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_G, projection_dim=1280)),
            }
        )


@pytest.mark.parametrize("config", [SDXL_UNET, SD15_UNET], ids=["SDXL", "SD 1.5"])
def test_stabilitys_names_are_those_that_diffusers_converts(config: dict[str, Any]) -> None:
    """A checkpoint that has a number under each of our original names comes out with each under its own."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    layers = layers_of({"unet": unet})
    original = OriginalNames.of(layers)
    checkpoint = {}
    for number, (name, layer) in enumerate(layers.items()):
        place = f"model.diffusion_model.{original.of_path(name.removeprefix('unet.'))}"
        checkpoint[f"{place}.weight"] = torch.tensor(float(number))
        if layer.bias:
            checkpoint[f"{place}.bias"] = torch.tensor(float(number))

    converted = convert_ldm_unet_checkpoint(checkpoint, dict(unet.config))

    assert [int(converted[f"{name.removeprefix('unet.')}.weight"]) for name in layers] == list(range(len(layers)))


def test_no_name_of_sdxl_is_ambiguous() -> None:
    """Over all spellings of its 1,059 weights and its norms, and each layer has at least nine names."""
    layers = sdxl()
    names = LayerNames.of(layers)

    assert sum(layer.kind is not LayerKind.NORM for layer in layers.values()) == 1059
    assert not names.ambiguous
    assert len(names.layers) > 9 * len(layers)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lora_unet_input_blocks_4_1_proj_in", "unet.down_blocks.1.attentions.0.proj_in"),
        ("lora_unet_output_blocks_2_2_conv", "unet.up_blocks.0.upsamplers.0.conv"),
        ("lora_te1_text_model_encoder_layers_3_mlp_fc1", "text_encoder.encoder.layers.3.mlp.fc1"),
        ("lora_te_text_model_encoder_layers_3_mlp_fc1", "text_encoder.encoder.layers.3.mlp.fc1"),
        ("unet.input_blocks.4.1.proj_in", "unet.down_blocks.1.attentions.0.proj_in"),
        ("input_blocks.4.1.proj_in", "unet.down_blocks.1.attentions.0.proj_in"),
        ("clip_l.text_model.encoder.layers.3.mlp.fc1", "text_encoder.encoder.layers.3.mlp.fc1"),
        (
            "text_encoders.clip_g.transformer.text_model.encoder.layers.9.mlp.fc1",
            "text_encoder_2.encoder.layers.9.mlp.fc1",
        ),
        ("unet._orig_mod.mid_block.attentions.0.proj_in", "unet.mid_block.attentions.0.proj_in"),
        ("lora_te2_text_projection", "text_encoder_2.text_projection"),
        ("text_encoder_2.text_model.encoder.layers.31.mlp.fc2", "text_encoder_2.encoder.layers.31.mlp.fc2"),
    ],
)
def test_names_that_trainers_write_are_known(name: str, layer: str) -> None:
    """By hand, for the layouts that matter most."""
    found = LayerNames.of(sdxl()).find(name)

    assert found is not None
    assert found.name == layer
