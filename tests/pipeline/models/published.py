"""The configs of published models, key by key as they lie on the Hub, with narrow widths."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Config = dict[str, Any]

_BETAS: Config = {
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
    "trained_betas": None,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Published:
    """A model's configs: of its index, UNet, VAE, scheduler and text encoders."""

    index: Config
    unet: Config
    vae: Config
    scheduler: Config
    texts: tuple[Config, ...]

    def but(self, **changes: Config) -> "Published":
        """The same with some keys changed, by part; a key whose value is `...` is absent."""
        merged: dict[str, Any] = {part: _changed(getattr(self, part), new) for part, new in changes.items()}
        return replace(self, **merged)

    def sampled_by(self, name: str, **options: Any) -> "Published":
        """The same with another scheduler, which the index names too; `options` are all that its config says."""
        return replace(
            self, scheduler=scheduler(name, **options), index={**self.index, "scheduler": ["diffusers", name]}
        )


def _changed(config: Config, changes: Config) -> Config:
    return {name: value for name, value in {**config, **changes}.items() if value is not ...}


def scheduler(name: str, **options: Any) -> Config:
    """A scheduler's config with Stable Diffusion's noise."""
    return {"_class_name": name, "_diffusers_version": "0.27.0.dev0", **_BETAS, **options}


_SDXL_UNET: Config = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.19.0.dev0", "act_fn": "silu",
    "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64, "addition_time_embed_dim": 8,
    "attention_head_dim": [2, 2, 4], "block_out_channels": [32, 32, 64], "center_input_sample": False,
    "class_embed_type": None, "class_embeddings_concat": False, "conv_in_kernel": 3, "conv_out_kernel": 3,
    "cross_attention_dim": 64, "cross_attention_norm": None,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "downsample_padding": 1,
    "dual_cross_attention": False, "encoder_hid_dim": None, "encoder_hid_dim_type": None, "flip_sin_to_cos": True,
    "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_only_cross_attention": None,
    "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05,
    "norm_num_groups": 16, "num_attention_heads": None, "num_class_embeds": None, "only_cross_attention": False,
    "out_channels": 4, "projection_class_embeddings_input_dim": 80, "resnet_out_scale_factor": 1.0,
    "resnet_skip_time_act": False, "resnet_time_scale_shift": "default", "sample_size": 8,
    "time_cond_proj_dim": None, "time_embedding_act_fn": None, "time_embedding_dim": None,
    "time_embedding_type": "positional", "timestep_post_act": None, "transformer_layers_per_block": [1, 2, 3],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "upcast_attention": None,
    "use_linear_projection": True,
}  # fmt: skip
_LATER_UNET: Config = {"attention_type": "default", "dropout": 0.0, "reverse_transformer_layers_per_block": None}
_VAE: Config = {
    "_class_name": "AutoencoderKL", "_diffusers_version": "0.20.0.dev0", "act_fn": "silu",
    "block_out_channels": [8, 8, 16, 16], "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3,
    "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4, "out_channels": 3, "sample_size": 64,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
_TEXT: Config = {
    "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0,
    "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 32, "initializer_factor": 1.0,
    "initializer_range": 0.02, "intermediate_size": 64, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "num_attention_heads": 4, "num_hidden_layers": 3, "pad_token_id": 1,
    "projection_dim": 32, "torch_dtype": "float16", "transformers_version": "4.32.0.dev0", "vocab_size": 1563,
}  # fmt: skip
_TEXT_2: Config = {**_TEXT, "architectures": ["CLIPTextModelWithProjection"], "hidden_act": "gelu"}
_LEFTOVERS: Config = {
    "clip_sample": False, "interpolation_type": "linear", "sample_max_value": 1.0, "set_alpha_to_one": False,
    "skip_prk_steps": True,
}  # fmt: skip
_EULER: Config = scheduler(
    "EulerDiscreteScheduler",
    prediction_type="epsilon", steps_offset=1, timestep_spacing="leading", use_karras_sigmas=False, **_LEFTOVERS,
)  # fmt: skip


def _index(pipeline: str, sampler: str, **others: Any) -> Config:
    return {
        "_class_name": pipeline,
        "_diffusers_version": "0.19.0.dev0",
        "scheduler": ["diffusers", sampler],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        **others,
    }


SDXL = Published(
    index=_index(
        "StableDiffusionXLPipeline",
        "EulerDiscreteScheduler",
        force_zeros_for_empty_prompt=True,
        add_watermarker=None,
        text_encoder_2=["transformers", "CLIPTextModelWithProjection"],
        tokenizer_2=["transformers", "CLIPTokenizer"],
    ),
    unet=_SDXL_UNET,
    vae={**_VAE, "force_upcast": True, "scaling_factor": 0.13025},
    scheduler=_EULER,
    texts=(_TEXT, _TEXT_2),
)
LATER_SDXL = SDXL.but(
    unet=_LATER_UNET,
    index={
        "_diffusers_version": "0.27.0.dev0",
        "add_watermarker": ...,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    },
)
"""As diffusers has saved SDXL's fine-tunes since the end of 2023."""

SSD_1B = LATER_SDXL.but(
    unet={
        "mid_block_type": "UNetMidBlock2D",
        "transformer_layers_per_block": [1, [2, 2], [4, 4]],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
    }
)
VEGA = LATER_SDXL.but(
    unet={
        "mid_block_type": "UNetMidBlock2D",
        "transformer_layers_per_block": [1, [1, 1], [2, 2]],
        "reverse_transformer_layers_per_block": [[2, 2, 2], [1, 1, 1], 1],
    }
)

_PNDM: Config = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", **_BETAS, "set_alpha_to_one": False,
    "skip_prk_steps": True, "steps_offset": 1, "clip_sample": False,
}  # fmt: skip
_SD_UNET: Config = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [32, 32, 64, 64], "center_input_sample": False, "cross_attention_dim": 32,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
    "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 16, "out_channels": 4, "sample_size": 64,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}  # fmt: skip
SD15 = Published(
    index={
        **_index(
            "StableDiffusionPipeline",
            "PNDMScheduler",
            feature_extractor=["transformers", "CLIPImageProcessor"],
            safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        ),
        "_diffusers_version": "0.6.0",
    },
    unet=_SD_UNET,
    vae=_VAE,
    scheduler=_PNDM,
    texts=({**_TEXT, "torch_dtype": "float32", "transformers_version": "4.22.0.dev0"},),
)
SD14 = SD15.but(index={"_diffusers_version": "0.2.2"}, unet={"_diffusers_version": "0.2.2"})
_OPEN_CLIP: Config = {**_TEXT, "hidden_act": "gelu", "torch_dtype": "float32"}
SD20_BASE = replace(
    SD15.but(
        index={"requires_safety_checker": False, "safety_checker": [None, None], "_diffusers_version": "0.8.0"},
        unet={
            "attention_head_dim": [2, 2, 4, 4], "use_linear_projection": True, "dual_cross_attention": False,
            "num_class_embeds": None, "only_cross_attention": False, "_diffusers_version": "0.8.0",
        },
    ),
    texts=(_OPEN_CLIP,),
)  # fmt: skip
_VELOCITY: Config = {
    "prediction_type": "v_prediction", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "clip_sample": False,
}  # fmt: skip
SD20 = SD20_BASE.sampled_by("DDIMScheduler", **_VELOCITY).but(unet={"sample_size": 96})
SD21 = SD20.but(unet={"upcast_attention": True, "_diffusers_version": "0.10.0.dev0"})
SD21_BASE = SD20_BASE.but(unet={"_diffusers_version": "0.10.0.dev0"})
TINY_SD = SD15.but(
    unet={
        "block_out_channels": [32, 32, 64],
        "down_block_types": ["CrossAttnDownBlock2D"] * 3,
        "up_block_types": ["CrossAttnUpBlock2D"] * 3,
        "layers_per_block": 1,
        "mid_block_type": None,
        **_LATER_UNET,
    },
    index={"requires_safety_checker": False},
)
SMALL_SD = SD15.but(unet={"layers_per_block": 1, "mid_block_type": None})
BK_SDM_BASE = SD15.but(unet={"layers_per_block": 1})

EDM: Config = {
    "_class_name": "EDMDPMSolverMultistepScheduler", "_diffusers_version": "0.27.0.dev0",
    "algorithm_type": "dpmsolver++", "dynamic_thresholding_ratio": 0.995, "euler_at_final": False,
    "final_sigmas_type": "zero", "lower_order_final": True, "num_train_timesteps": 1000, "prediction_type": "epsilon",
    "rho": 7.0, "sample_max_value": 1.0, "sigma_data": 0.5, "sigma_max": 80.0, "sigma_min": 0.002, "solver_order": 2,
    "solver_type": "midpoint", "thresholding": False,
}  # fmt: skip
PLAYGROUND_25 = replace(
    LATER_SDXL.but(
        vae={
            "latents_mean": [-1.6574, 1.886, -1.383, 2.5155],
            "latents_std": [8.4927, 5.9022, 6.5498, 5.2299],
            "scaling_factor": 0.5,
        },
        index={"scheduler": ["diffusers", "EDMDPMSolverMultistepScheduler"]},
    ),
    scheduler=EDM,
)
REFINER = replace(
    SDXL.but(
        index={
            "_class_name": "StableDiffusionXLImg2ImgPipeline",
            "force_zeros_for_empty_prompt": False,
            "requires_aesthetics_score": True,
            "text_encoder": [None, None],
            "tokenizer": [None, None],
        },
        unet={
            "block_out_channels": [32, 32, 64, 64], "attention_head_dim": [2, 2, 4, 4], "cross_attention_dim": 32,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            "projection_class_embeddings_input_dim": 72, "transformer_layers_per_block": 4,
        },
    ),
)  # fmt: skip


def save_configs(model: Published, folder: Path) -> Path:
    """A folder of configs without weights, which is enough of what is refused by its configs."""
    write_config(folder / "model_index.json", model.index)
    write_config(folder / "unet" / "config.json", model.unet)
    write_config(folder / "vae" / "config.json", model.vae)
    write_config(folder / "scheduler" / "scheduler_config.json", model.scheduler)
    for number, config in enumerate(model.texts):
        write_config(folder / ("text_encoder" if number == 0 else f"text_encoder_{number + 1}") / "config.json", config)
    return folder


def write_config(path: Path, config: Config) -> None:
    """As diffusers writes it, in a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
