"""How a model wants to be sampled: its configs say it, else its name, else its family."""

from collections.abc import Mapping
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.models.distillations import of_model
from pipeline.requests.image_request import Scheduler
from pipeline.requests.sampling import Sampling
from pipeline.requests.spacing import Spacing

_STEPS: Final = 30
_LCM_GUIDANCE: Final = 8.0
"""What LCMs with an input for it were published with; it costs them no second row."""

_ANYBODY_S: Final = frozenset({"", "EulerDiscreteScheduler", "PNDMScheduler", "DDIMScheduler", "DDPMScheduler"})
"""What the bases have, so that a model which was trained on from one says nothing by it."""

_SPACINGS: Final = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
_FEW_STEPS: Final = frozenset({"LCMScheduler", "TCDScheduler"})

Config = Mapping[str, object]


def folder_sampling(name: str, family: ModelFamily, index: Config, scheduler: Config, unet: Config) -> Sampling:
    """The sampling of a model with configs.

    Args:
        name: its own.
        family: of the model.
        index: its `model_index.json`, which names the scheduler's class.
        scheduler: the scheduler's config.
        unet: the UNet's config.

    Returns:
        What a request takes that says nothing else.
    """
    entry = index.get("scheduler")
    kind = str(entry[1] if isinstance(entry, list) and len(entry) == 2 else scheduler.get("_class_name", ""))
    own = _scheduler(kind, scheduler)
    if kind in _FEW_STEPS or unet.get("time_cond_proj_dim") is not None:
        embedded = unet.get("time_cond_proj_dim") is not None
        guidance = _LCM_GUIDANCE if embedded else 1.0
        return Sampling(steps=4, guidance_scale=guidance, scheduler=own if kind in _FEW_STEPS else Scheduler.LCM)
    if kind == "EulerAncestralDiscreteScheduler" and scheduler.get("timestep_spacing") == "trailing":  # SDXL Turbo
        return Sampling(steps=4, guidance_scale=1.0, scheduler=own)
    named = named_sampling(name, family)
    anybody_s = kind in _ANYBODY_S and scheduler.get("timestep_spacing") != "trailing"
    spaced = kind.startswith("EDM") or any(scheduler.get(flag) for flag in _SPACINGS)
    return Sampling(
        steps=named.steps,
        guidance_scale=named.guidance_scale,
        scheduler=named.scheduler if anybody_s else own,
        spacing=Spacing.NORMAL if spaced else named.spacing,
    )


def named_sampling(name: str, family: ModelFamily) -> Sampling:
    """The sampling of a model by its name alone.

    Args:
        name: its own, and its title where it has one.
        family: of the model.

    Returns:
        A distillation's, else the family's.
    """
    usual = FAMILIES[family].guidance_scale
    if (kind := of_model(name)) is None:
        return Sampling(steps=_STEPS, guidance_scale=usual, scheduler=Scheduler.EULER)
    own = kind.sampling(name)
    return own if own.guidance_scale is not None else own.guided(usual)


def _scheduler(kind: str, config: Config) -> Scheduler:
    if kind == "DPMSolverMultistepScheduler" and config.get("algorithm_type") == "sde-dpmsolver++":
        return Scheduler.DPMPP_2M_SDE
    try:
        return Scheduler.parse(kind)
    except InvalidRequest:
        return Scheduler.EULER
