"""Where the steps of a walk are: the noise levels of each spacing, as diffusers computes them."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_deis_multistep import DEISMultistepScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_tcd import TCDScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.beta_quantile import symmetric_quantile
from pipeline.samplers.noise_level import NoiseLevel
from pipeline.samplers.noise_table import NoiseTable
from pipeline.samplers.path import Path

SCHEDULER_CLASSES: Final[Mapping[Scheduler, Any]] = {
    Scheduler.EULER: EulerDiscreteScheduler,
    Scheduler.EULER_A: EulerAncestralDiscreteScheduler,
    Scheduler.HEUN: HeunDiscreteScheduler,
    Scheduler.DDIM: DDIMScheduler,
    Scheduler.LCM: LCMScheduler,
    Scheduler.UNIPC: UniPCMultistepScheduler,
    Scheduler.DPMPP_2M: DPMSolverMultistepScheduler,
    Scheduler.DPMPP_SDE: EulerDiscreteScheduler,
    Scheduler.DPMPP_2M_SDE: DPMSolverMultistepScheduler,
    Scheduler.DPMPP_3M_SDE: DPMSolverMultistepScheduler,
    Scheduler.DPMPP_2S_A: EulerDiscreteScheduler,
    Scheduler.TCD: TCDScheduler,
    Scheduler.DEIS: DEISMultistepScheduler,
    Scheduler.PNDM: PNDMScheduler,
}
"""Whose levels and options a sampler has: diffusers' own, or those of Euler's rule where diffusers has none."""

_FLAGS: Final = {
    Spacing.KARRAS: "use_karras_sigmas",
    Spacing.EXPONENTIAL: "use_exponential_sigmas",
    Spacing.BETA: "use_beta_sigmas",
}
_NO_FLAG: Final = dict.fromkeys((*_FLAGS.values(), "use_lu_lambdas"), False)
_BETA_SHAPE: Final = 0.6


def path_of(kind: Scheduler, spacing: Spacing, config: Mapping[str, Any], steps: int, aligned: Sequence[float]) -> Path:
    """The whole way of a sampler.

    Args:
        kind: the sampler's rule.
        spacing: of the steps.
        config: the model's own scheduler config.
        steps: into how many the way is divided, at least 1.
        aligned: the published sigmas of the model's family for AYS.

    Returns:
        From the first level to the one after the last step.

    Raises:
        InvalidRequest: this kind cannot take so many steps.
    """
    own = _usable(kind, config)
    scheduler = SCHEDULER_CLASSES[kind].from_config(own)
    table = NoiseTable(scheduler.alphas_cumprod)
    match _wanted(spacing, config, type(scheduler)):
        case Spacing.NORMAL:
            levels = _levels(_set(scheduler, kind, steps), table)
        case (Spacing.KARRAS | Spacing.EXPONENTIAL) as flagged:
            levels = _levels(_set(_flagged(flagged, type(scheduler), own), kind, steps), table)
        case Spacing.BETA:
            even = _set(_flagged(Spacing.EXPONENTIAL, type(scheduler), own), kind, steps)
            ends = _levels(even, table)[0].sigma, _levels(even, table)[steps - 1].sigma
            levels = _beta(*ends, steps, table, whole=not even.timesteps.is_floating_point())
        case Spacing.AYS:
            levels = [table.of_sigma(sigma) for sigma in _log_linear(aligned, steps + 1)[:-1]]
        case Spacing.SGM_UNIFORM:
            levels = [table.at(float(time)) for time in np.linspace(len(table) - 1, 0, steps + 1)[:-1]]
        case Spacing.SIMPLE:
            levels = [table.at(len(table) - 1 - int(step * (len(table) / steps))) for step in range(steps)]
        case Spacing.TRAILING:
            ratio = len(table) / steps
            times = np.arange(len(table), 0, -ratio).round()[:steps] - 1
            levels = [table.at(float(time)) for time in times]
    return Path(
        levels=[*levels[:steps], _end(kind, scheduler, table)], steps=steps, table=table, options=scheduler.config
    )


def _usable(kind: Scheduler, config: Mapping[str, Any]) -> dict[str, Any]:
    """The model's config without what only other samplers of diffusers' class take."""
    own = {key: value for key, value in config.items() if key != _FLAGS[Spacing.BETA]}
    if SCHEDULER_CLASSES[kind] is DPMSolverMultistepScheduler:
        own |= {"algorithm_type": "dpmsolver++", "solver_order": 2}
    if kind is Scheduler.DEIS:
        own |= {"algorithm_type": "deis"}
    if kind is Scheduler.PNDM:
        own |= {"skip_prk_steps": True}
    if own.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in _options(SCHEDULER_CLASSES[kind]):
        alphas = EulerDiscreteScheduler.from_config(config).alphas_cumprod.double().numpy()
        own |= {"trained_betas": (1 - alphas / np.concatenate([[1.0], alphas[:-1]])).tolist()}
    return own


def _options(scheduler: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(scheduler).parameters


def _wanted(spacing: Spacing, config: Mapping[str, Any], scheduler: type) -> Spacing:
    """What the model's config says, where it asks for what we compute ourselves."""
    flag = _FLAGS[Spacing.BETA]
    return Spacing.BETA if spacing is Spacing.NORMAL and config.get(flag) and flag in _options(scheduler) else spacing


def _flagged(spacing: Spacing, scheduler: Any, config: Mapping[str, Any]) -> Any:
    """A scheduler of diffusers' that spaces its sigmas so: Euler's in place of one that cannot."""
    able = scheduler if _FLAGS[spacing] in _options(scheduler) else EulerDiscreteScheduler
    return able.from_config({**config, **_NO_FLAG, _FLAGS[spacing]: True})


def _beta(high: float, low: float, steps: int, table: NoiseTable, *, whole: bool) -> list[NoiseLevel]:
    """Between two sigmas by the quantiles of a beta distribution (Lee et al., 2024; arXiv 2407.12173), as diffusers
    does with SciPy.
    """
    quantiles = symmetric_quantile(1 - np.linspace(0, 1, steps), _BETA_SHAPE)
    levels = [table.of_sigma(low + float(quantile) * (high - low)) for quantile in quantiles]
    return [replace(level, timestep=float(int(level.timestep))) for level in levels] if whole else levels


def _set(scheduler: Any, kind: Scheduler, steps: int) -> Any:
    try:
        scheduler.set_timesteps(steps, device="cpu")
    except ValueError as error:
        raise InvalidRequest("steps", f"{kind.value} cannot take {steps} steps; use fewer.") from error
    return scheduler


def _levels(scheduler: Any, table: NoiseTable) -> list[NoiseLevel]:
    """Where a scheduler of diffusers' calls the denoiser; Heun's and PNDM's do so twice at some places."""
    if not hasattr(scheduler, "sigmas"):
        return [table.at(time) for time in dict.fromkeys(scheduler.timesteps.tolist())]
    times, sigmas = scheduler.timesteps[:: scheduler.order], scheduler.sigmas[:: scheduler.order]
    return [NoiseLevel.of_sigma(sigma, time) for time, sigma in zip(times.tolist(), sigmas.tolist(), strict=False)]


def _end(kind: Scheduler, scheduler: Any, table: NoiseTable) -> NoiseLevel:
    """After the last step: no noise, but for samplers and models that diffusers leaves at the model's least noise."""
    match kind:
        case Scheduler.DEIS | Scheduler.TCD:
            clean = False
        case Scheduler.PNDM:
            clean = bool(scheduler.config.set_alpha_to_one)
        case _:
            takes = "final_sigmas_type" in _options(type(scheduler))
            clean = not takes or scheduler.config.final_sigmas_type == "zero"
    return NoiseLevel.of_sigma(0.0, 0.0) if clean else table.at(0)


def _log_linear(sigmas: Sequence[float], count: int) -> list[float]:
    """`count` sigmas between the first and the last, on straight lines between the given ones' logarithms."""
    if not sigmas:
        raise InvalidRequest("spacing", "ays has no table for this model; choose another spacing.")
    places = np.linspace(0, len(sigmas) - 1, count)
    return [float(sigma) for sigma in np.exp(np.interp(places, np.arange(len(sigmas)), np.log(sigmas)))]
