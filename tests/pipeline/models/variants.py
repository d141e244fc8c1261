"""Every known kind of published SDXL and SD model, as a tiny one: what it is made of, and whether it is refused."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tests.pipeline.models import variant_files as files
from tests.pipeline.models.published import (
    BK_SDM_BASE,
    LATER_SDXL,
    PLAYGROUND_25,
    REFINER,
    SD14,
    SD15,
    SD20,
    SD20_BASE,
    SD21,
    SD21_BASE,
    SDXL,
    SMALL_SD,
    SSD_1B,
    TINY_SD,
    VEGA,
    Published,
)


def _itself(folder: Path) -> Path:
    return folder


@dataclass(frozen=True, kw_only=True)
class Variant:
    """`words` are those of its refusal; empty where it is drawn. `change` makes its weights' files what they are;
    `place` says where it is loaded from, while diffusers reads the folder; `bare` has configs alone.
    """

    group: str
    name: str
    model: Published
    words: str = ""
    change: files.Change | None = None
    place: Callable[[Path], Path] = _itself
    bare: bool = False


def variants() -> tuple[Variant, ...]:
    """All of them."""
    return (*_sdxl(), *_distilled(), *_sd(), *_schedulers(), *_files(), *_other_models(), *_other_configs())


def _of(group: str, *rows: tuple[str, Published] | tuple[str, Published, files.Change]) -> list[Variant]:
    return [Variant(group=group, name=row[0], model=row[1], change=row[2] if len(row) == 3 else None) for row in rows]


def _sdxl() -> list[Variant]:
    velocity = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "steps_offset": 1}
    return _of(
        "SDXL",
        ("SDXL base 1.0", SDXL, files.in_both_precisions),
        ("SDXL base 1.0, half precision alone", SDXL, files.cast(torch.float16, ".fp16")),
        ("SSD-1B", SSD_1B),
        ("Segmind Vega", VEGA),
        ("Playground 2", LATER_SDXL),
        ("Playground 2.5", PLAYGROUND_25),
        ("Playground 2.5, EDM Euler", PLAYGROUND_25.but(scheduler={"_class_name": "EDMEulerScheduler"}).but(
            index={"scheduler": ["diffusers", "EDMEulerScheduler"]})),
        ("Pony Diffusion V6 XL", LATER_SDXL, files.cast(torch.float16)),
        ("Illustrious XL", LATER_SDXL.sampled_by("EulerDiscreteScheduler", timestep_spacing="leading", steps_offset=1)),
        ("NoobAI XL, epsilon", LATER_SDXL, files.cast(torch.bfloat16)),
        ("NoobAI XL, velocity, zero terminal SNR",
         LATER_SDXL.sampled_by("EulerDiscreteScheduler", timestep_spacing="trailing", **velocity)),
        ("velocity, zero terminal SNR, ancestral",
         LATER_SDXL.sampled_by("EulerAncestralDiscreteScheduler", timestep_spacing="leading", **velocity)),
        ("fine-tune, DPM++ 2M Karras",
         LATER_SDXL.sampled_by("DPMSolverMultistepScheduler", use_karras_sigmas=True, timestep_spacing="leading",
                               steps_offset=1, algorithm_type="dpmsolver++", final_sigmas_type="zero")),
        ("fine-tune, DPM++ 2M SDE Karras",
         LATER_SDXL.sampled_by("DPMSolverMultistepScheduler", use_karras_sigmas=True,
                               algorithm_type="sde-dpmsolver++", steps_offset=1)),
        ("sdxl-vae-fp16-fix", LATER_SDXL.but(vae={"force_upcast": False})),
        ("no word of force_zeros_for_empty_prompt", LATER_SDXL.but(index={"force_zeros_for_empty_prompt": ...})),
        ("force_zeros_for_empty_prompt off", LATER_SDXL.but(index={"force_zeros_for_empty_prompt": False})),
        ("its moving average's notes in the config",
         SDXL.but(unet={"decay": 0.9999, "inv_gamma": 1.0, "min_decay": 0.0, "optimization_step": 37000,
                        "power": 0.67, "update_after_step": 0, "use_ema_warmup": False})),
        ("upcast_attention", SDXL.but(unet={"upcast_attention": True})),
        ("saved by an image-to-image pipeline",
         SDXL.but(index={"_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": False})),
    )  # fmt: skip


def _distilled() -> list[Variant]:
    trailing = {"timestep_spacing": "trailing", "steps_offset": 1}
    lcm = {"timestep_spacing": "leading", "steps_offset": 1, "original_inference_steps": 50, "clip_sample": False}
    guided = {"time_cond_proj_dim": 16}
    dreamshaper = SD15.but(
        unet=guided, index={"_class_name": "LatentConsistencyModelPipeline", "requires_safety_checker": True}
    )
    return _of(
        "few steps",
        ("SDXL Turbo", LATER_SDXL.sampled_by("EulerAncestralDiscreteScheduler", prediction_type="epsilon", **trailing)),
        ("SDXL Lightning", LATER_SDXL.sampled_by("EulerDiscreteScheduler", **trailing)),
        ("Hyper-SDXL, DDIM", LATER_SDXL.sampled_by("DDIMScheduler", clip_sample=False, set_alpha_to_one=False,
                                                   **trailing)),
        ("Hyper-SDXL, LCM", LATER_SDXL.sampled_by("LCMScheduler", **lcm)),
        ("Hyper-SDXL, TCD", LATER_SDXL.sampled_by("TCDScheduler", **lcm)),
        ("DMD2", LATER_SDXL.sampled_by("LCMScheduler", **lcm), files.cast(torch.float16)),
        ("LCM SDXL, guidance distilled", LATER_SDXL.but(unet=guided).sampled_by("LCMScheduler", **lcm)),
        ("LCM SSD-1B, guidance distilled", SSD_1B.but(unet=guided).sampled_by("LCMScheduler", **lcm)),
        ("LCM Dreamshaper v7, guidance distilled", dreamshaper.sampled_by("LCMScheduler", **lcm)),
        ("SD Turbo", SD21_BASE.sampled_by("EulerDiscreteScheduler", prediction_type="epsilon", **trailing)),
    )  # fmt: skip


def _sd() -> list[Variant]:
    return _of(
        "SD",
        ("SD 1.4", SD14),
        ("SD 1.5", SD15, files.with_unaveraged_weights),
        ("SD 1.5, a VAE of 2022", SD15, files.with_old_names),
        ("SD 1.5, bfloat16", SD15, files.cast(torch.bfloat16)),
        ("SD 1.5, velocity", SD15.sampled_by("DDIMScheduler", prediction_type="v_prediction", steps_offset=1,
                                             clip_sample=False, set_alpha_to_one=False)),
        ("SD 2.0 base", SD20_BASE),
        ("SD 2.0", SD20),
        ("SD 2.1", SD21),
        ("SD 2.1 base", SD21_BASE),
        ("SD 2.1, zero terminal SNR", SD21.sampled_by(
            "EulerDiscreteScheduler", prediction_type="v_prediction", rescale_betas_zero_snr=True,
            timestep_spacing="trailing", steps_offset=1)),
        ("tiny-sd", TINY_SD),
        ("small-sd", SMALL_SD),
        ("BK-SDM base", BK_SDM_BASE),
    )  # fmt: skip


def _schedulers() -> list[Variant]:
    rows = [
        ("DDPM", SDXL.sampled_by("DDPMScheduler", clip_sample=False, prediction_type="epsilon")),
        ("LMS", SD15.sampled_by("LMSDiscreteScheduler")),
        ("Heun", SDXL.sampled_by("HeunDiscreteScheduler")),
        ("UniPC", SDXL.sampled_by("UniPCMultistepScheduler")),
        ("DEIS", SDXL.sampled_by("DEISMultistepScheduler")),
        ("KDPM2 ancestral", SDXL.sampled_by("KDPM2AncestralDiscreteScheduler")),
        ("DPM++ singlestep", SD15.sampled_by("DPMSolverSinglestepScheduler")),
        ("DDIM of 2022, whose config says little", SD14.sampled_by("DDIMScheduler")),
        ("LCM, whose config names no noise", replace(SD15.sampled_by("LCMScheduler"), scheduler={
            "_class_name": "LCMScheduler", "clip_sample": False})),
        ("another class in the index than in the config", SDXL.but(
            index={"scheduler": ["diffusers", "EulerAncestralDiscreteScheduler"]})),
        ("exponential spacing", SDXL.sampled_by("EulerDiscreteScheduler", use_exponential_sigmas=True)),
        ("trained_betas", SDXL.but(scheduler={"trained_betas": [0.0001 + 0.00001 * step for step in range(1000)]})),
    ]  # fmt: skip
    return _of("schedulers", *rows)


def _files() -> list[Variant]:
    mark = torch.tensor([])
    place, edm = files.as_file, {"edm_mean": torch.tensor([-1.6574, 1.886, -1.383, 2.5155]),
                                 "edm_std": torch.tensor([8.4927, 5.9022, 6.5498, 5.2299])}  # fmt: skip
    velocity = SDXL.but(scheduler={"prediction_type": "v_prediction", "rescale_betas_zero_snr": True})
    cosxl = PLAYGROUND_25.but(
        scheduler={"sigma_max": 120.0, "sigma_data": 1.0, "prediction_type": "v_prediction"},
        vae={"latents_mean": None, "latents_std": None, "scaling_factor": 0.13025},
    )
    float8 = torch.float8_e4m3fn
    rows = [
        ("SDXL", SDXL, place()),
        ("SD 1.5", SD15, place()),
        ("SD 1.5 with its moving average", SD15, place({"model_ema.decay": torch.tensor(0.9)})),
        ("velocity, zero terminal SNR (NoobAI)", velocity, place({"v_pred": mark, "ztsnr": mark})),
        ("Playground 2.5", PLAYGROUND_25, place(edm)),
        ("CosXL", cosxl, place({"edm_vpred.sigma_max": torch.tensor(120.0)})),
        ("float16", SDXL, place()),
        ("bfloat16", SD15, place()),
        ("float8 (e4m3)", SDXL, place(dtype=float8)),
    ]
    casts = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float8 (e4m3)": float8}
    single = [
        Variant(
            group="one file",
            name=name,
            model=model,
            place=where,
            change=files.cast(casts[name]) if name in casts else None,
        )
        for name, model, where in rows
    ]
    return [
        *single,
        *_of(
            "files",
            ("sharded UNet", SDXL, files.sharded),
            ("float8 (e4m3) folder", SDXL, files.cast(float8)),
        ),
        *_refused_files(),
    ]


def _refused_files() -> list[Variant]:
    scaled = {"scaled_fp8": torch.tensor([1.0])}
    rows = [
        ("pickles alone", SD15, "no safetensors weights", files.as_pickles, _itself),
        ("a pickle in one file", SD15, "is a pickle", None, lambda folder: folder.with_suffix(".ckpt")),
        ("scaled float8 in one file", SDXL, "scaled float8", None, files.as_file(scaled)),
        ("SSD-1B in one file", SSD_1B, "other layers", None, files.as_file(configs=SDXL)),
        ("SD 2.1 in one file", SD21, "Stable Diffusion 2", None, files.as_outline(1024)),
        ("SDXL refiner in one file", REFINER, "refiner", None, files.as_outline(1280)),
        ("SDXL inpainting in one file", SDXL, "draws inside", None, files.as_outline(2048, channels=9)),
        ("SD 1.5 InstructPix2Pix in one file", SD15, "more than a prompt", None, files.as_outline(768, channels=8)),
        ("a UNet alone in one file", SD15, "no whole", None, files.as_outline(0)),
    ]
    return [
        Variant(group="files", name=name, model=model, words=words, change=change, place=place)
        for name, model, words, change, place in rows
    ]


def _refused(group: str, *rows: tuple[str, Published, str]) -> list[Variant]:
    return [Variant(group=group, name=name, model=model, words=words, bare=True) for name, model, words in rows]


def _by_pipeline(name: str, base: Published = SD15) -> Published:
    return base.but(index={"_class_name": name})


def _other_models() -> list[Variant]:
    inside, more = "draws inside pictures only", {"in_channels": 9}
    kolors = LATER_SDXL.but(
        unet={"encoder_hid_dim": 128, "encoder_hid_dim_type": "text_proj"},
        index={"text_encoder": ["kolors", "ChatGLMModel"], "tokenizer": ["kolors", "ChatGLMTokenizer"]},
    )
    unclip = {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 64}
    return _refused(
        "other models",
        ("SDXL refiner", REFINER, "requires_aesthetics_score"),
        ("SDXL inpainting 0.1",
         _by_pipeline("StableDiffusionXLInpaintPipeline", SDXL).but(unet=more), inside),
        ("SD 1.5 inpainting", _by_pipeline("StableDiffusionInpaintPipeline").but(unet=more), inside),
        ("SD 2 inpainting", _by_pipeline("StableDiffusionInpaintPipeline", SD20_BASE).but(unet=more), inside),
        ("inpainting UNet in a text-to-image model", SD15.but(unet=more), inside),
        ("InstructPix2Pix", _by_pipeline("StableDiffusionInstructPix2PixPipeline").but(unet={"in_channels": 8}),
         "StableDiffusionInstructPix2PixPipeline"),
        ("InstructPix2Pix's UNet in a text-to-image model", SD15.but(unet={"in_channels": 8}), "reads 8 channels"),
        ("SDXL InstructPix2Pix",
         _by_pipeline("StableDiffusionXLInstructPix2PixPipeline", SDXL).but(unet={"in_channels": 8}),
         "StableDiffusionXLInstructPix2PixPipeline"),
        ("SD 2.1 unCLIP", _by_pipeline("StableUnCLIPImg2ImgPipeline", SD21).but(unet=unclip), "StableUnCLIPImg2Img"),
        ("unCLIP's UNet in a text-to-image model", SD21.but(unet=unclip), "class_embed_type"),
        ("x4 upscaler", _by_pipeline("StableDiffusionUpscalePipeline", SD20_BASE), "StableDiffusionUpscalePipeline"),
        ("x4 upscaler's UNet in a text-to-image model",
         SD20_BASE.but(unet={"num_class_embeds": 1000, "only_cross_attention": [True, True, True, False]}),
         "num_class_embeds"),
        ("x2 latent upscaler", _by_pipeline("StableDiffusionLatentUpscalePipeline"), "LatentUpscalePipeline"),
        ("SD 2 depth", _by_pipeline("StableDiffusionDepth2ImgPipeline", SD20_BASE), "Depth2ImgPipeline"),
        ("depth's UNet in a text-to-image model", SD20_BASE.but(unet={"in_channels": 5}), "reads 5 channels"),
        ("image variations", _by_pipeline("StableDiffusionImageVariationPipeline"), "ImageVariationPipeline"),
        ("Kolors, as first published", kolors, "ChatGLMModel"),
        ("Kolors", _by_pipeline("KolorsPipeline", kolors), "KolorsPipeline"),
        ("GLIGEN", SD15.but(unet={"attention_type": "gated"}), "attention_type"),
        ("AltDiffusion", SD15.but(index={"text_encoder": ["alt", "RobertaSeriesModelWithTransformation"]}),
         "RobertaSeriesModelWithTransformation"),
        ("DeepFloyd IF", _by_pipeline("IFPipeline"), "IFPipeline"),
        ("SD 3", _by_pipeline("StableDiffusion3Pipeline"), "StableDiffusion3Pipeline"),
        ("FLUX.1", _by_pipeline("FluxPipeline"), "FluxPipeline"),
    )  # fmt: skip


def _other_configs() -> list[Variant]:
    return _refused(
        "other configs",
        ("a flow model's scheduler", SDXL.sampled_by("FlowMatchEulerDiscreteScheduler"), "FlowMatchEuler"),
        ("prediction_type: flow_prediction", SDXL.but(scheduler={"prediction_type": "flow_prediction"}),
         "prediction_type"),
        ("prediction_type: sample", SD15.but(scheduler={"prediction_type": "sample"}), "prediction_type"),
        ("thresholding", SDXL.sampled_by("DPMSolverMultistepScheduler", thresholding=True), "thresholding"),
        ("use_flow_sigmas", SDXL.but(scheduler={"use_flow_sigmas": True}), "use_flow_sigmas"),
        ("timestep_type: continuous", SDXL.but(scheduler={"timestep_type": "continuous"}), "timestep_type"),
        ("an asymmetric VAE", SD15.but(index={"vae": ["diffusers", "AsymmetricAutoencoderKL"]}), "AsymmetricAuto"),
        ("a tiny VAE", SD15.but(vae={"_class_name": "AutoencoderTiny"}), "AutoencoderTiny"),
        ("a VAE with transparency", SDXL.but(vae={"out_channels": 4}), "out_channels"),
        ("a VAE of 16 channels", SDXL.but(vae={"latent_channels": 16}), "its VAE has 16"),
        ("weights of bitsandbytes", SDXL.but(unet={"quantization_config": {"load_in_4bit": True}}), "quantized"),
        ("SDXL's UNet without sizes", SDXL.but(unet={"addition_embed_type": None}), "addition_embed_type"),
        ("an SD UNet with SDXL's sizes", SD15.but(unet={"addition_embed_type": "text_time"}), "addition_embed_type"),
        ("a key that nobody knows", SDXL.but(unet={"memory_blocks": 4}), "memory_blocks"),
        ("a part that nobody knows", SDXL.but(index={"ella": ["ella", "ELLA"]}), "ella"),
    )  # fmt: skip
