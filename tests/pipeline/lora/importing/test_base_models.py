"""Base models by their layers: each from its own classes and configs, in every trainer's dialect."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import diffusers
import pytest
import torch
from torch import nn

from pipeline.lora.importing.base_models import LayerShape, bases_of, flat_name

SDXL_UNET = {
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
REFINER = {
    "block_out_channels": (384, 768, 1536, 1536),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": 4,
    "attention_head_dim": (6, 12, 24, 24),
    "cross_attention_dim": 1280,
    "use_linear_projection": True,
}
SD2 = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
KOLORS = {"encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj", "projection_class_embeddings_input_dim": 5632}
WAN = "WanTransformer3DModel"
FLUX2 = "Flux2Transformer2DModel"
KLEIN = {"num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680}
KLEIN_9B = {"num_layers": 8, "num_single_layers": 24, "num_attention_heads": 32, "joint_attention_dim": 12288}
HUNYUAN_IMAGE = {"num_attention_heads": 28, "attention_head_dim": 128, "num_layers": 20, "num_single_layers": 40}
SD35_LARGE = {"num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432}
SD35_MEDIUM = {
    "num_layers": 24,
    "num_attention_heads": 24,
    "caption_projection_dim": 1536,
    "dual_attention_layers": (*range(13),),
}
COG5 = {"num_layers": 42, "num_attention_heads": 48}
LTX13 = {"num_layers": 48, "num_attention_heads": 32, "attention_head_dim": 128, "cross_attention_dim": 4096}
SANA06 = {"num_layers": 28, "num_attention_heads": 36, "attention_head_dim": 32, "num_cross_attention_heads": 16,
          "cross_attention_head_dim": 72, "cross_attention_dim": 1152}  # fmt: skip
PRIOR = {"in_channels": 16, "out_channels": 16, "conditioning_dim": 2048, "block_out_channels": (2048, 2048),
         "num_attention_heads": (32, 32), "down_num_layers_per_block": (8, 24), "up_num_layers_per_block": (24, 8),
         "down_blocks_repeat_mappers": (1, 1), "up_blocks_repeat_mappers": (1, 1),
         "block_types_per_layer": (("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"),) * 2,
         "clip_text_in_channels": 1280, "clip_text_pooled_in_channels": 1280, "clip_image_in_channels": 768,
         "clip_seq": 4, "kernel_size": 3, "self_attn": True, "switch_level": (False,)}  # fmt: skip
HUNYUAN_DIT = {"num_layers": 40, "attention_head_dim": 88, "mlp_ratio": 4.3637, "patch_size": 2, "in_channels": 4,
               "sample_size": 128, "cross_attention_dim": 1024, "hidden_size": 1408}  # fmt: skip
PIXART = {"sample_size": 128, "cross_attention_dim": 1152, "caption_channels": 4096}

AURAFLOW = {"num_single_dit_layers": 32, "caption_projection_dim": 3072, "joint_attention_dim": 2048,
            "num_attention_heads": 12}  # fmt: skip
HIDREAM = {"patch_size": 2, "num_layers": 16, "num_single_layers": 32, "num_attention_heads": 20,
           "attention_head_dim": 128, "caption_channels": (4096, 4096), "llama_layers": (*range(48),),
           "num_routed_experts": 4, "num_activated_experts": 2}  # fmt: skip

# The base, its class in diffusers, what its config has other than the class's own defaults.
MODELS: list[tuple[str, str, dict[str, Any]]] = [
    ("FLUX.1", "FluxTransformer2DModel", {"guidance_embeds": True}),
    ("FLUX.2", FLUX2, {}),
    ("FLUX.2", FLUX2, KLEIN),
    ("FLUX.2", FLUX2, KLEIN_9B),
    ("Chroma", "ChromaTransformer2DModel", {}),
    ("SD 3", "SD3Transformer2DModel", {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536}),
    ("SD 3", "SD3Transformer2DModel", SD35_MEDIUM),
    ("SD 3", "SD3Transformer2DModel", SD35_LARGE),
    ("Qwen-Image", "QwenImageTransformer2DModel", {}),
    ("Z-Image", "ZImageTransformer2DModel", {}),
    ("Wan", WAN, {"num_layers": 30, "num_attention_heads": 12, "ffn_dim": 8960}),
    ("Wan", WAN, {"num_layers": 30, "num_attention_heads": 24, "ffn_dim": 14336, "in_channels": 48}),
    ("Wan", WAN, {"added_kv_proj_dim": 5120, "image_dim": 1280, "in_channels": 36}),
    ("HunyuanVideo", "HunyuanVideoTransformer3DModel", {}),
    ("HunyuanVideo", "HunyuanVideo15Transformer3DModel", {}),
    ("HunyuanImage", "HunyuanImageTransformer2DModel", HUNYUAN_IMAGE),
    ("Hunyuan-DiT", "HunyuanDiT2DModel", HUNYUAN_DIT),
    ("PixArt", "PixArtTransformer2DModel", PIXART),
    ("Sana", "SanaTransformer2DModel", {}),
    ("Sana", "SanaTransformer2DModel", {"num_layers": 60}),
    ("Sana", "SanaTransformer2DModel", SANA06),
    ("CogVideoX", "CogVideoXTransformer3DModel", {}),
    ("CogVideoX", "CogVideoXTransformer3DModel", COG5),
    ("Mochi", "MochiTransformer3DModel", {}),
    ("LTX-Video", "LTXVideoTransformer3DModel", {}),
    ("LTX-Video", "LTXVideoTransformer3DModel", LTX13),
    ("LTX-Video", "LTX2VideoTransformer3DModel", {}),
    ("Kolors", "UNet2DConditionModel", SDXL_UNET | KOLORS),
    ("SD 2", "UNet2DConditionModel", SD2),
    ("SD 1.5", "UNet2DConditionModel", {"cross_attention_dim": 768}),
    ("SDXL", "UNet2DConditionModel", SDXL_UNET),
    ("the SDXL refiner", "UNet2DConditionModel", REFINER),
    ("Stable Cascade", "StableCascadeUNet", PRIOR),
    ("Lumina", "Lumina2Transformer2DModel", {}),
    ("AuraFlow", "AuraFlowTransformer2DModel", AURAFLOW),
    ("HiDream", "HiDreamImageTransformer2DModel", HIDREAM),
]  # fmt: skip
DIALECTS: dict[str, Callable[[str], str]] = {
    "diffusers": lambda path: f"transformer.{path}",
    "diffusers, a UNet": lambda path: f"unet.{path}",
    "ai-toolkit": lambda path: f"diffusion_model.{path}",
    "kohya": lambda path: f"lora_unet_{path.replace('.', '_')}",
    "OneTrainer": lambda path: f"lora_transformer_{path.replace('.', '_')}",
    "LyCORIS": lambda path: f"lycoris_{path.replace('.', '_')}",
    "PEFT": lambda path: f"base_model.model.{path}",
    "bare": lambda path: path,
}
ATTENTION = re.compile(
    r".*\.(attn\d?|attention|self_attn)\.(to_[qkv]|to_out\.0|to_out|add_[qkv]_proj|to_add_out|qkv|out)"
)


@cache
def linears(kind: str, config: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, int, int], ...]:
    with torch.device("meta"):
        model = getattr(diffusers, kind)(**dict(config))
    return tuple(
        (path, int(layer.weight.shape[1]), int(layer.weight.shape[0]))
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
    )


def shapes(paths: Iterable[tuple[str, int, int]], dialect: Callable[[str], str]) -> list[LayerShape]:
    return [LayerShape(name=flat_name(dialect(path)), inputs=wide, outputs=high) for path, wide, high in paths]


@pytest.mark.filterwarnings("ignore:.FluxPosEmbed:FutureWarning")  # of diffusers' own Chroma
@pytest.mark.parametrize(
    ("base", "kind", "config"), MODELS, ids=[f"{base} {n}" for n, (base, _, _) in enumerate(MODELS)]
)
def test_a_lora_of_all_layers_and_of_attention_alone(base: str, kind: str, config: dict[str, Any]) -> None:
    """Whole, it is for one base (SDXL's are Kolors', too); of attention alone, that base is one of few that fit."""
    every = linears(kind, tuple(config.items()))
    attention = [own for own in every if ATTENTION.fullmatch(own[0])]
    assert attention
    for name in ("diffusers", "kohya", "LyCORIS", "ai-toolkit"):
        dialect = DIALECTS[name]
        assert bases_of(shapes(every, dialect)) - ({"Kolors"} if base == "SDXL" else set()) == {base}
        assert base in bases_of(shapes(attention, dialect))
        assert len(bases_of(shapes(attention, dialect))) <= 4


# Layers by the names of the models' own code, as kohya, musubi, ComfyUI and ai-toolkit write them.
NATIVE: list[tuple[str, set[str], tuple[str, int, int]]] = [
    ("FLUX.1 alone", {"FLUX.1"}, ("double_blocks.18.img_mod.lin", 3072, 18432)),
    ("FLUX.1's qkv", {"FLUX.1", "Chroma", "HunyuanVideo"}, ("double_blocks.18.img_attn.qkv", 3072, 9216)),
    ("FLUX.1's MLP", {"FLUX.1", "Chroma"}, ("double_blocks.18.txt_mlp.0", 3072, 12288)),
    ("XLabs' FLUX.1", {"FLUX.1"}, ("double_blocks.0.processor.qkv_lora1", 0, 0)),
    ("XLabs' single blocks", {"FLUX.1"}, ("single_blocks.0.processor.qkv_lora", 0, 0)),
    ("FLUX.2", {"FLUX.2"}, ("double_blocks.7.img_attn.qkv", 6144, 18432)),
    ("FLUX.2 klein", {"FLUX.2"}, ("single_blocks.19.linear1", 3072, 27648)),
    ("Chroma", {"Chroma"}, ("distilled_guidance_layer.layers.0.in_layer", 5120, 5120)),
    ("HunyuanVideo", {"HunyuanVideo"}, ("double_blocks.19.img_attn_qkv", 3072, 9216)),
    ("HunyuanVideo's MLP", {"HunyuanVideo"}, ("double_blocks.0.txt_mlp.fc1", 3072, 12288)),
    ("HunyuanImage", {"HunyuanImage"}, ("double_blocks.0.img_attn_q", 3584, 3584)),
    ("SD 3", {"SD 3"}, ("joint_blocks.23.x_block.attn.qkv", 1536, 4608)),
    ("SD 3.5 large", {"SD 3"}, ("joint_blocks.37.context_block.mlp.fc1", 2432, 9728)),
    ("Wan 14B", {"Wan"}, ("blocks.39.self_attn.q", 5120, 5120)),
    ("Wan 1.3B", {"Wan"}, ("blocks.29.ffn.2", 8960, 1536)),
    ("Wan I2V", {"Wan"}, ("blocks.0.cross_attn.k_img", 5120, 5120)),
    ("Z-Image", {"Z-Image"}, ("layers.29.attention.qkv", 3840, 11520)),
    ("Lumina", {"Lumina"}, ("layers.25.attention.qkv", 2304, 3840)),
    ("PixArt", {"PixArt", "Sana"}, ("blocks.27.cross_attn.kv_linear", 1152, 2304)),
    ("Sana", {"Sana"}, ("blocks.19.attn.qkv", 2240, 6720)),
    ("CogVideoX", {"CogVideoX"}, ("transformer.layers.41.attention.query_key_value", 3072, 9216)),
    ("Mochi", {"Mochi"}, ("blocks.47.attn.qkv_x", 3072, 9216)),
    ("AuraFlow", {"AuraFlow"}, ("single_layers.31.attn.w1q", 3072, 3072)),
    ("HiDream", {"HiDream"}, ("double_stream_blocks.15.block.attn1.to_q_t", 2560, 2560)),
    ("Stable Cascade", {"Stable Cascade"}, ("down_blocks.1.2.attention.attn.out_proj", 2048, 2048)),
    ("Hunyuan-DiT", {"Hunyuan-DiT"}, ("blocks.39.attn1.Wqkv", 1408, 4224)),
    ("SDXL", {"SDXL", "Kolors"}, ("input_blocks.8.1.transformer_blocks.9.attn1.to_q", 1280, 1280)),
    ("SD 1.5 or 2", {"SD 1.5", "SD 2"}, ("output_blocks.11.1.transformer_blocks.0.attn1.to_q", 320, 320)),
    ("a FLUX of another width", set(), ("double_blocks.0.img_attn.qkv", 2048, 6144)),
    ("a Wan of another width", set(), ("blocks.0.self_attn.q", 4096, 4096)),
    ("no block of FLUX.1", {"HunyuanVideo"}, ("single_blocks.39.linear1", 3072, 21504)),
    ("nobody's", set(), ("blah.foo", 3072, 3072)),
]


@pytest.mark.parametrize(("bases", "layer"), [row[1:] for row in NATIVE], ids=[row[0] for row in NATIVE])
def test_a_single_layer_by_its_own_codes_name(bases: set[str], layer: tuple[str, int, int]) -> None:
    """In the dialects that keep these names; no width but the model's own counts."""
    for dialect in ("ai-toolkit", "kohya", "bare"):
        assert bases_of(shapes([layer], DIALECTS[dialect])) == bases


@pytest.mark.parametrize(
    ("base", "layer"),
    [
        ("Stable Cascade", ("lora_prior_te_text_model_encoder_layers_0_self_attn_q_proj", 1280, 1280)),
        ("Wan", ("transformer_2.blocks.0.attn1.to_q", 5120, 5120)),
    ],
)
def test_a_prefix_of_one_base_alone(base: str, layer: tuple[str, int, int]) -> None:
    """Cascade's text encoder, and the second of Wan 2.2's two transformers."""
    assert bases_of(shapes([layer], str)) == {base}


def test_layers_of_two_bases_are_nobodys() -> None:
    assert bases_of(shapes([("blocks.0.self_attn.q", 5120, 5120), ("blocks.0.attn.qkv_x", 3072, 9216)], str)) == set()


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_trainers_prefix_is_known(dialect: Callable[[str], str]) -> None:
    assert bases_of(shapes([("transformer_blocks.0.img_mlp.net.2", 12288, 3072)], dialect)) == {"Qwen-Image"}
