"""The shape of `pocket`: SDXL's parts in miniature, each built untrained from its configuration."""

from dataclasses import dataclass

from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

NATIVE_SIZE = 128
LATENT_SIZE = NATIVE_SIZE // 8
POOLED = 128
TIME_ID = 32
TIME_IDS = 6
# SDXL's own factor: the encoder is rescaled to fit it, so that code which fixes the number stays right.
SCALING_FACTOR = 0.13025


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The widths that make the model small; tests make it smaller still."""

    vae: tuple[int, int, int, int] = (16, 32, 64, 96)
    unet: tuple[int, int, int] = (64, 128, 192)
    text: int = 64
    text_layers: int = 2
    text_2: int = 128
    text_2_layers: int = 3
    head: int = 32


POCKET = Sizes()


def build_vae(sizes: Sizes) -> AutoencoderKL:
    """An autoencoder with eightfold reduction and four latent channels."""
    return AutoencoderKL(
        sample_size=128,
        latent_channels=4,
        block_out_channels=sizes.vae,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        scaling_factor=SCALING_FACTOR,
        force_upcast=False,
    )


def build_unet(sizes: Sizes) -> UNet2DConditionModel:
    """A UNet with SDXL's three levels: plain at the top, cross-attention on the two below."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        block_out_channels=sizes.unet,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=sizes.text + sizes.text_2,
        attention_head_dim=tuple(width // sizes.head for width in sizes.unet),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_ID,
        projection_class_embeddings_input_dim=TIME_IDS * TIME_ID + POOLED,
        norm_num_groups=16,
    )


def build_text_encoder(sizes: Sizes, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The first text encoder, whose penultimate states the UNet reads."""
    return CLIPTextModel(_text_config(sizes.text, sizes.text_layers, sizes, tokenizer))


def build_text_encoder_2(sizes: Sizes, tokenizer: CLIPTokenizer) -> CLIPTextModelWithProjection:
    """The second text encoder, which also gives the pooled embedding."""
    return CLIPTextModelWithProjection(_text_config(sizes.text_2, sizes.text_2_layers, sizes, tokenizer))


def _text_config(width: int, layers: int, sizes: Sizes, tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // sizes.head),
        projection_dim=POOLED,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_scheduler() -> EulerDiscreteScheduler:
    """SDXL's noise schedule, predicting v: flat backgrounds depend on the noisiest steps, where v is well scaled."""
    config = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction",
        "timestep_spacing": "leading",
        "steps_offset": 1,
        # Latents go beyond 1, where DDIM would clip them unless told.
        "clip_sample": False,
    }
    scheduler: EulerDiscreteScheduler = EulerDiscreteScheduler.from_config(config)
    return scheduler
