"""What the trainers of one-file checkpoints write beside the weights, since such a file has no configs."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.requests.image_request import Scheduler

_EDM_MEAN, _EDM_DEVIATION = "edm_mean", "edm_std"
_EDM_VELOCITY: Final = "edm_vpred.sigma_max"
_EDM_LOWEST: Final = "edm_vpred.sigma_min"
_VELOCITY, _ZERO_SNR = "v_pred", "ztsnr"
_PLAYGROUND_FACTOR: Final = 0.5
"""The scaling factor of Playground 2.5, whose file names the mean and the deviation of its latents alone."""


def scheduler_marks(file: Any) -> dict[str, Any]:
    """How a checkpoint was trained otherwise than its family.

    Args:
        file: the opened safetensors file.

    Returns:
        What to change in a scheduler config; empty where nothing is marked.
    """
    names = set(file.keys())
    if {_EDM_MEAN, _EDM_DEVIATION} <= names:  # Playground 2.5
        return {"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_max": 80.0, **_EDM, "sigma_data": 0.5}
    if _EDM_VELOCITY in names:  # CosXL
        ends = {"sigma_max": _EDM_VELOCITY, "sigma_min": _EDM_LOWEST}
        own = {key: float(file.get_tensor(mark).float().item()) for key, mark in ends.items() if mark in names}
        return {"_class_name": "EDMEulerScheduler", **_EDM, **own, "sigma_data": 1.0, "prediction_type": "v_prediction"}
    velocity = _VELOCITY in names or _stated(file.metadata() or {}) in _VELOCITIES
    changes = {"prediction_type": "v_prediction"} if velocity else {}
    return {**changes, "rescale_betas_zero_snr": True} if _ZERO_SNR in names else changes


def check_marks(file: str, metadata: Mapping[str, object]) -> None:
    """Check that a checkpoint answers with what is known here.

    Args:
        file: its name, for the error.
        metadata: of its header.

    Raises:
        UserError: it says that it answers with something else.
    """
    if (stated := _stated(metadata)) not in _VELOCITIES | _NOISES:
        raise UserError(
            f"{file} says that its prediction type is '{stated:.40}', which no sampler here follows; choose a model of "
            "epsilon or v."
        )


def marked_sampler(names: Collection[str]) -> Scheduler | None:
    """The sampler that a checkpoint's trainers publish for its own kind of noise.

    Args:
        names: of its tensors.

    Returns:
        None where it has its family's noise.
    """
    if _EDM_MEAN in names and _EDM_DEVIATION in names:
        return Scheduler.DPMPP_2M
    return Scheduler.EULER if _EDM_VELOCITY in names else None


def _stated(metadata: Mapping[str, object]) -> str:
    return str(metadata.get("modelspec.prediction_type", "")).strip().lower()


_VELOCITIES: Final = frozenset({"v", "v_prediction", "v-prediction", "v_pred"})
_NOISES: Final = frozenset({"", "epsilon", "eps"})
_EDM: Final = {"sigma_min": 0.002, "final_sigmas_type": "zero", "rho": 7.0, "prediction_type": "epsilon"}


def vae_marks(file: Any) -> dict[str, Any]:
    """How a checkpoint's latents are scaled otherwise than its family's.

    Args:
        file: the opened safetensors file.

    Returns:
        What to change in a VAE's config; empty where nothing is marked.
    """
    if not {_EDM_MEAN, _EDM_DEVIATION} <= set(file.keys()):
        return {}
    mean, deviation = (file.get_tensor(name).float().flatten().tolist() for name in (_EDM_MEAN, _EDM_DEVIATION))
    return {"latents_mean": mean, "latents_std": deviation, "scaling_factor": _PLAYGROUND_FACTOR}
