"""How a model wants to be sampled, by its configs, then by its name, then by its family."""

from typing import Any

import pytest

from pipeline.families.family import ModelFamily
from pipeline.models.model_sampling import folder_sampling, named_sampling
from pipeline.requests.image_request import Scheduler
from pipeline.requests.sampling import Sampling
from pipeline.requests.spacing import Spacing

XL = ModelFamily.SDXL


def by_config(name: str, kind: str, scheduler: dict[str, Any], unet: dict[str, Any]) -> tuple[object, ...]:
    made = folder_sampling(name, XL, {"scheduler": ["diffusers", kind]}, scheduler, unet)
    return made.steps, made.guidance_scale, made.scheduler


@pytest.mark.parametrize(
    ("name", "kind", "scheduler", "unet", "sampling"),
    [
        ("sdxl-base", "EulerDiscreteScheduler", {"timestep_spacing": "leading"}, {}, (30, 6.0, Scheduler.EULER)),
        (
            "stabilityai/sdxl-turbo", "EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"}, {},
            (4, 1.0, Scheduler.EULER_A),
        ),
        ("anime", "EulerAncestralDiscreteScheduler", {"timestep_spacing": "leading"}, {}, (30, 6.0, Scheduler.EULER_A)),
        ("an-lcm", "LCMScheduler", {}, {"time_cond_proj_dim": 256}, (4, 8.0, Scheduler.LCM)),
        ("merged", "LCMScheduler", {}, {"time_cond_proj_dim": None}, (4, 1.0, Scheduler.LCM)),
        ("swapped", "EulerDiscreteScheduler", {}, {"time_cond_proj_dim": 256}, (4, 8.0, Scheduler.LCM)),
        ("dreamshaper-turbo", "DPMSolverMultistepScheduler", {}, {}, (4, 1.0, Scheduler.DPMPP_2M)),
        ("RealVisXL_V4.0_Lightning", "EulerDiscreteScheduler", {}, {}, (4, 1.0, Scheduler.EULER)),
        (
            "vpred", "EulerDiscreteScheduler", {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True}, {},
            (30, 6.0, Scheduler.EULER),
        ),
        ("odd", "NobodyKnowsScheduler", {}, {}, (30, 6.0, Scheduler.EULER)),
        ("playground", "EDMDPMSolverMultistepScheduler", {}, {}, (30, 6.0, Scheduler.DPMPP_2M)),
        ("cosxl", "EDMEulerScheduler", {}, {}, (30, 6.0, Scheduler.EULER)),
        (
            "tuned", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}, {},
            (30, 6.0, Scheduler.DPMPP_2M_SDE),
        ),
        (
            "stabilityai/sd-turbo", "EulerDiscreteScheduler", {"timestep_spacing": "trailing"}, {},
            (4, 1.0, Scheduler.EULER),
        ),
    ],
)  # fmt: skip
def test_configs_come_before_names(
    name: str, kind: str, scheduler: dict[str, Any], unet: dict[str, Any], sampling: tuple[object, ...]
) -> None:
    assert by_config(name, kind, scheduler, unet) == sampling


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        ("sd_xl_turbo_1.0_fp16", (4, 1.0, Scheduler.EULER_A)),
        ("DreamShaperXL_Turbo_v2", (4, 1.0, Scheduler.EULER_A)),
        ("sdxl_lightning_1step_x0", (1, 1.0, Scheduler.EULER)),
        ("sdxl_lightning_2step", (2, 1.0, Scheduler.EULER)),
        ("sdxl_lightning_8step", (8, 1.0, Scheduler.EULER)),
        ("juggernautXL_juggXILightningByRD", (4, 1.0, Scheduler.EULER)),
        ("Hyper-SDXL-1step-Unet", (1, 1.0, Scheduler.DDIM)),
        ("Hyper-SDXL-8steps-CFG", (8, 6.0, Scheduler.DDIM)),
        ("dmd2_sdxl_4step_unet_fp16", (4, 1.0, Scheduler.LCM)),
        ("LCM_Dreamshaper_v7", (4, 1.0, Scheduler.LCM)),
        ("sd_xl_base_1.0", (30, 6.0, Scheduler.EULER)),
        ("hypernova-30steps", (30, 6.0, Scheduler.EULER)),
        ("HyperRealismXL_v2", (30, 6.0, Scheduler.EULER)),
        ("hyper-realistic-v1", (30, 6.0, Scheduler.EULER)),
        ("CyberRealistic Hyper V3", (8, 1.0, Scheduler.DDIM)),
        ("RealVisXL V4.0 Lightning 5 steps", (5, 1.0, Scheduler.EULER)),
        ("DreamShaper XL Turbo v2.1 DPM++ SDE", (4, 1.0, Scheduler.DPMPP_SDE)),
        ("dreamshaperXL_v21TurboDPMSDE", (4, 1.0, Scheduler.DPMPP_SDE)),
    ],
)
def test_a_file_s_name_tells_its_distillation(name: str, sampling: tuple[object, ...]) -> None:
    """With the steps that it was published for."""
    made = named_sampling(name, XL)

    assert (made.steps, made.guidance_scale, made.scheduler) == sampling


@pytest.mark.parametrize(
    ("name", "kind", "scheduler", "spacing"),
    [
        ("Juggernaut XL Lightning", "EulerDiscreteScheduler", {}, Spacing.TRAILING),
        ("Juggernaut XL Lightning", "DPMSolverSDEScheduler", {"use_karras_sigmas": True}, Spacing.NORMAL),
        ("Playground v2.5 Lightning", "EDMEulerScheduler", {}, Spacing.NORMAL),
        ("DreamShaper XL Turbo DPM++ SDE", "EulerDiscreteScheduler", {}, Spacing.KARRAS),
    ],
)
def test_a_name_s_spacing_gives_way_to_the_config_s(
    name: str, kind: str, scheduler: dict[str, Any], spacing: Spacing
) -> None:
    """A model of its own kind of noise would refuse another."""
    assert folder_sampling(name, XL, {"scheduler": ["diffusers", kind]}, scheduler, {}).spacing is spacing


def test_a_sampling_in_words() -> None:
    assert str(Sampling(steps=4, guidance_scale=1.0, scheduler=Scheduler.LCM)) == "4 steps, guidance 1 and lcm"
    assert str(Sampling(steps=8, guidance_scale=None, scheduler=Scheduler.DDIM)) == "8 steps and ddim"
