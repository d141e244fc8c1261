"""Every key of a model's configs, and what becomes of it here: one table for each part, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class Effect(Enum):
    """Who sees to it that a key does what it says."""

    BUILT = "the module that diffusers or transformers builds from it"
    OWN = "Limner's own code"
    NONE = "no image depends on it"
    BOUND = "only values that change nothing are taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a config.

    `allowed` are the values that are drawn right, None for all; of a list each item must be among them. `reason`
    completes the sentence that refuses another one: what such a model does.
    """

    effect: Effect
    allowed: frozenset[object] | None = None
    reason: str = ""


Keys = Mapping[str, Key]

_OFF: Final = frozenset[object]({None, False})


def _all(effect: Effect, names: str) -> dict[str, Key]:
    return {name: Key(effect=effect) for name in names.split()}


def _bound(reason: str, names: str, allowed: frozenset[object] = _OFF) -> dict[str, Key]:
    return {name: Key(effect=Effect.BOUND, allowed=allowed, reason=reason) for name in names.split()}


def _among(reason: str, names: str, *allowed: object, effect: Effect = Effect.BUILT) -> dict[str, Key]:
    key = Key(effect=effect, allowed=frozenset(allowed), reason=reason)
    return {name: replace(key) for name in names.split()}


_QUANTIZED: Final = _bound("its weights are quantized by another library", "quantization_config")

UNET: Final[Keys] = {
    **_all(
        Effect.BUILT,
        "center_input_sample flip_sin_to_cos freq_shift block_out_channels layers_per_block downsample_padding "
        "mid_block_scale_factor act_fn norm_num_groups norm_eps transformer_layers_per_block use_linear_projection "
        "reverse_transformer_layers_per_block attention_head_dim resnet_time_scale_shift resnet_skip_time_act "
        "resnet_out_scale_factor time_embedding_type time_embedding_dim time_embedding_act_fn timestep_post_act "
        "conv_in_kernel conv_out_kernel",
    ),
    **_all(
        Effect.OWN,
        "sample_size in_channels out_channels cross_attention_dim addition_embed_type addition_time_embed_dim "
        "projection_class_embeddings_input_dim time_cond_proj_dim",
    ),
    # Attention multiplies in float32 whatever the precision (scaled_dot_product_attention), as diffusers' own does.
    **_all(Effect.NONE, "upcast_attention dropout addition_embed_type_num_heads"),
    # What training scripts save of their moving average.
    **_all(Effect.NONE, "decay inv_gamma min_decay optimization_step power update_after_step use_ema_warmup"),
    **_among(
        "it is made of other blocks than Stable Diffusion's", "down_block_types", "DownBlock2D", "CrossAttnDownBlock2D"
    ),
    **_among("it is made of other blocks than Stable Diffusion's", "up_block_types", "UpBlock2D", "CrossAttnUpBlock2D"),
    **_among(
        "it is made of other blocks than Stable Diffusion's",
        "mid_block_type",
        None, "UNetMidBlock2DCrossAttn", "UNetMidBlock2D",
    ),
    **_bound("it is drawn by more than a prompt", "class_embed_type num_class_embeds class_embeddings_concat"),
    **_bound("it changes what its text encoders say", "encoder_hid_dim encoder_hid_dim_type cross_attention_norm"),
    **_bound(
        "its attention is other than Stable Diffusion's",
        "only_cross_attention dual_cross_attention mid_block_only_cross_attention num_attention_heads",
    ),
    **_bound("it is drawn by more than a prompt", "attention_type", frozenset({None, "default"})),
    **_QUANTIZED,
}  # fmt: skip

VAE: Final[Keys] = {
    **_all(
        Effect.BUILT,
        "down_block_types up_block_types block_out_channels layers_per_block act_fn norm_num_groups sample_size "
        "use_quant_conv use_post_quant_conv mid_block_add_attention",
    ),
    # `force_upcast`: on no device a VAE runs in float16, which alone is too narrow for it.
    **_all(Effect.OWN, "latent_channels scaling_factor shift_factor latents_mean latents_std force_upcast"),
    **_bound("it draws no plain colours", "in_channels out_channels", frozenset({3})),
    **_QUANTIZED,
}

TEXT_ENCODER: Final[Keys] = {
    **_all(
        Effect.BUILT,
        "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads max_position_embeddings "
        "hidden_act layer_norm_eps projection_dim pad_token_id bos_token_id eos_token_id",
    ),
    **_all(
        Effect.NONE,
        "attention_dropout dropout initializer_range initializer_factor dtype torch_dtype transformers_version "
        "output_hidden_states output_attentions return_dict use_return_dict use_cache torchscript is_decoder "
        "gradient_checkpointing id2label label2id problem_type is_encoder_decoder chunk_size_feed_forward "
        "tie_word_embeddings",
    ),
    **_among("it is no CLIP text encoder", "model_type", None, "clip_text_model", effect=Effect.OWN),
    **_among(
        "it is no CLIP text encoder",
        "architectures",
        None, "CLIPTextModel", "CLIPTextModelWithProjection",
        effect=Effect.OWN,
    ),
    **_QUANTIZED,
}  # fmt: skip

_UNKNOWN_WAY: Final = "no sampler here follows it"

SCHEDULER: Final[Keys] = {
    **_all(
        Effect.BUILT,
        "num_train_timesteps beta_start beta_end trained_betas rescale_betas_zero_snr steps_offset sigma_min sigma_max "
        "use_karras_sigmas use_exponential_sigmas set_alpha_to_one skip_prk_steps clip_sample clip_sample_range "
        "use_lu_lambdas lambda_min_clipped original_inference_steps",
    ),
    **_all(
        Effect.OWN,
        "sigma_data rho sigma_schedule use_beta_sigmas solver_order lower_order_final euler_at_final disable_corrector "
        "timestep_scaling",
    ),
    # Of samplers that are not here, and of what is refused below.
    **_all(
        Effect.NONE,
        "tensor_format dynamic_thresholding_ratio sample_max_value flow_shift time_shift_type predictor_order "
        "corrector_order tau_func noise_sampler_seed",
    ),
    **_among(_UNKNOWN_WAY, "beta_schedule", None, "linear", "scaled_linear", "squaredcos_cap_v2"),
    **_among(_UNKNOWN_WAY, "timestep_spacing", "leading", "linspace", "trailing"),
    **_among(_UNKNOWN_WAY, "interpolation_type", None, "linear"),
    **_among(_UNKNOWN_WAY, "final_sigmas_type", "zero", "sigma_min"),
    **_among(_UNKNOWN_WAY, "solver_type", "midpoint", "heun", "bh1", "bh2", "logrho", effect=Effect.OWN),
    **_among(
        _UNKNOWN_WAY,
        "algorithm_type",
        "dpmsolver++",
        "sde-dpmsolver++",
        "deis",
        effect=Effect.OWN,
    ),
    **_bound("it cuts its guesses as models without latents do", "thresholding"),
    **_bound(_UNKNOWN_WAY, "predict_x0", frozenset({None, True})),
    **_bound(_UNKNOWN_WAY, "solver_p"),
    **_among(_UNKNOWN_WAY, "prediction_type", "epsilon", "v_prediction", effect=Effect.OWN),
    **_bound("it follows a flow instead of noise", "use_flow_sigmas use_dynamic_shifting shift_terminal"),
    **_bound(_UNKNOWN_WAY, "timestep_type", frozenset({None, "discrete"})),
    **_bound(
        "it guesses its own variance",
        "variance_type",
        frozenset({None, "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"}),
    ),
}

PIPELINE: Final[Keys] = {
    **_all(
        Effect.OWN,
        "unet vae scheduler text_encoder text_encoder_2 tokenizer tokenizer_2 force_zeros_for_empty_prompt",
    ),
    # Others' filters and watermarks are not run; an image encoder is read by IP-Adapters alone.
    **_all(Effect.NONE, "safety_checker feature_extractor image_encoder requires_safety_checker add_watermarker"),
    **_bound("it refines finished pictures", "requires_aesthetics_score"),
}

TABLE: Final[Mapping[str, Keys]] = {
    "unet": UNET,
    "vae": VAE,
    "text_encoder": TEXT_ENCODER,
    "text_encoder_2": TEXT_ENCODER,
    "scheduler": SCHEDULER,
}
"""By diffusers' names of the parts."""

CLASSES: Final[Mapping[str, frozenset[str]]] = {
    "unet": frozenset({"UNet2DConditionModel"}),
    "vae": frozenset({"AutoencoderKL"}),
    "text_encoder": frozenset({"CLIPTextModel", "CLIPTextModelWithProjection"}),
    "text_encoder_2": frozenset({"CLIPTextModelWithProjection"}),
    "tokenizer": frozenset({"CLIPTokenizer", "CLIPTokenizerFast"}),
    "tokenizer_2": frozenset({"CLIPTokenizer", "CLIPTokenizerFast"}),
    "scheduler": frozenset(
        {
            "DDIMScheduler", "DDPMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler",
            "DPMSolverSDEScheduler", "DPMSolverSinglestepScheduler", "EDMDPMSolverMultistepScheduler",
            "EDMEulerScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler",
            "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler", "LMSDiscreteScheduler",
            "PNDMScheduler", "SASolverScheduler", "TCDScheduler", "UniPCMultistepScheduler",
        }
    ),
}  # fmt: skip
"""The classes that a model may name for its parts. A scheduler's says which noise the model was trained with; which
sampler takes that out is a request's choice.
"""

TRAINED_WITH: Final = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
)
"""Of a scheduler's keys those that are no matter of taste: where one is absent, the default of the class that the model
names holds for every sampler.
"""
