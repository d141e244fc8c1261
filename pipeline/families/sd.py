"""Stable Diffusion before SDXL: Rombach et al., 2022 (arXiv 2112.10752)."""

from typing import Final

from pipeline.families.family import Family

SD15: Final = Family(
    name="SD 1.5",
    pipeline="StableDiffusionPipeline",
    other_pipelines=frozenset(
        {"LatentConsistencyModelPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline"}
    ),
    base_repository="stable-diffusion-v1-5/stable-diffusion-v1-5",
    native_side=512,
    guidance_scale=7.5,
    aligned_sigmas=(14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    cross_attention_width=768,
    text_encoders={"text_encoder": "cond_stage_model.transformer."},
    penultimate_states=False,
    pooled_and_sizes=False,
    t2i_adapters=frozenset({"full_adapter", "light_adapter"}),
    kohya_prefixes={"text_encoder": "lora_te"},
    kohya_original_unet=False,
    kohya_base="sd_v1",
    modelspec_architecture="stable-diffusion-v1/lora",
    training_seconds=600.0,
    gradient_checkpointing=False,
)
