"""What metadata and pages say of a file's base."""

import pytest

from pipeline.lora.importing.stated_bases import derivatives, proposed_sampling, stated_base, stated_words
from pipeline.requests.image_request import Scheduler


@pytest.mark.parametrize(
    ("words", "base"),
    [
        ("SDXL 1.0", "SDXL"), ("Pony", "SDXL"), ("Pony V7", "AuraFlow"), ("Illustrious", "SDXL"), ("NoobAI", "SDXL"),
        ("SD 1.5", "SD 1.5"), ("SD 1.5 LCM", "SD 1.5"), ("SD 2.1 768", "SD 2"), ("SD 3.5 Large", "SD 3"),
        ("Flux.1 D", "FLUX.1"), ("Flux.2 Klein 9B", "FLUX.2"), ("Kolors", "Kolors"), ("Playground v2", "Playground v2"),
        ("Hunyuan Video", "HunyuanVideo"), ("Hunyuan 1", "Hunyuan-DiT"), ("Wan Video 14B t2v", "Wan"),
        ("Qwen", "Qwen-Image"), ("ZImageTurbo", "Z-Image"), ("PixArt a", "PixArt"), ("LTXV", "LTX-Video"),
        ("stable-diffusion-xl-v1-base/lora", "SDXL"), ("stable-diffusion-v1/lora", "SD 1.5"), ("sd_v2_768", "SD 2"),
        ("stabilityai/stable-diffusion-3-medium", "SD 3"), ("Tencent-Hunyuan/HunyuanImage-2.1", "HunyuanImage"),
        ("stabilityai/stable-diffusion-xl-refiner-1.0", "the SDXL refiner"), ("wan2.1", "Wan"),
        ("Other", None), ("", None), ("swanky", None),
    ],
)  # fmt: skip
def test_words_that_pages_and_trainers_use(words: str, base: str | None) -> None:
    assert stated_base(words) == base


def test_metadata_of_an_early_trainer() -> None:
    assert stated_base(stated_words({"ss_v2": "True"})) == "SD 2"
    assert stated_base(stated_words({"ss_v2": "False"})) is None


@pytest.mark.parametrize(
    ("metadata", "page", "title", "names"),
    [
        ({"ss_sd_model_name": "ponyDiffusionV6XL.safetensors"}, "", "", ["Pony"]),
        ({"ss_sd_model_hash": "67ab2fd8ec"}, "", "", ["Pony"]),
        ({}, "Illustrious", "", ["Illustrious"]),
        ({}, "NoobAI", "", ["NoobAI"]),
        ({}, "SDXL 1.0", "ByteDance/SDXL-Lightning sdxl_lightning_4step_lora.safetensors", ["Lightning"]),
        ({}, "", "ByteDance/Hyper-SD", ["Hyper"]),
        ({}, "", "latent-consistency/lcm-lora-sdxl", ["LCM"]),
        ({}, "", "tianweiy/DMD2", ["DMD2"]),
        ({}, "SDXL Turbo", "", ["Turbo"]),
        ({}, "SDXL 1.0", "My little pony in a turbo car under lightning", []),
    ],
)
def test_a_derivative_is_known_by_its_base_or_its_title(
    metadata: dict[str, str], page: str, title: str, names: list[str]
) -> None:
    """A title may name a thing."""
    assert [own.name for own in derivatives(metadata, page, title)] == names


def test_a_distillation_says_how_it_is_sampled() -> None:
    (own,) = derivatives({}, "SDXL Lightning")

    assert own.sentence == "Distilled: Lightning; it wants 2 to 8 steps, guidance 1 and Euler with trailing steps."


@pytest.mark.parametrize(
    ("metadata", "title", "sampling"),
    [
        ({}, "ByteDance/SDXL-Lightning sdxl_lightning_8step_lora.safetensors", (8, 1.0, Scheduler.EULER)),
        ({}, "ByteDance/Hyper-SD Hyper-SDXL-12steps-CFG-lora.safetensors", (12, None, Scheduler.DDIM)),
        ({}, "latent-consistency/lcm-lora-sdxl pytorch_lora_weights.safetensors", (4, 1.0, Scheduler.LCM)),
        ({}, "tianweiy/DMD2 dmd2_sdxl_4step_lora_fp16.safetensors", (4, 1.0, Scheduler.LCM)),
        ({}, "h1t/TCD-SDXL-LoRA", (4, 1.0, Scheduler.TCD)),
        ({}, "wangfuyun/PCM_Weights pcm_sdxl_normalcfg_16step_converted.safetensors", (16, None, Scheduler.DDIM)),
        ({"ss_output_name": "sd_xl_turbo_lora_v1"}, "it.safetensors", (4, 1.0, Scheduler.EULER_A)),
        ({"ss_sd_model_name": "sdxl_lightning_4step.safetensors"}, "a style for Lightning", None),
        ({}, "lightning bolts, trained for 30 steps", None),
    ],
)
def test_a_lora_that_distils_its_base_proposes_its_sampling(
    metadata: dict[str, str], title: str, sampling: tuple[object, ...] | None
) -> None:
    """One that was trained on a distilled model proposes nothing: on another base those steps would be too few."""
    made = proposed_sampling(metadata, title)

    assert (made and (made.steps, made.guidance_scale, made.scheduler)) == sampling
