"""SDXL: Podell et al., 2023 (arXiv 2307.01952)."""

from typing import Final

from pipeline.families.family import Family

SDXL: Final = Family(
    name="SDXL",
    pipeline="StableDiffusionXLPipeline",
    other_pipelines=frozenset({"StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"}),
    base_repository="stabilityai/stable-diffusion-xl-base-1.0",
    native_side=1024,
    guidance_scale=6.0,
    aligned_sigmas=(14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    cross_attention_width=2048,
    text_encoders={
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
    penultimate_states=True,
    pooled_and_sizes=True,
    t2i_adapters=frozenset({"full_adapter_xl"}),
    kohya_prefixes={"text_encoder": "lora_te1", "text_encoder_2": "lora_te2"},
    kohya_original_unet=True,
    kohya_base="sdxl_base_v1-0",
    modelspec_architecture="stable-diffusion-xl-v1-base/lora",
    training_seconds=1500.0,
    gradient_checkpointing=True,
)
