"""What the trainers of one-file checkpoints write beside the weights, since such a file has no configs."""

from typing import Any, Final

_EDM_MEAN, _EDM_DEVIATION = "edm_mean", "edm_std"
_EDM_VELOCITY: Final = "edm_vpred.sigma_max"
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
        highest = float(file.get_tensor(_EDM_VELOCITY).float().item())
        own = {"sigma_max": highest, "sigma_data": 1.0, "prediction_type": "v_prediction"}
        return {"_class_name": "EDMEulerScheduler", **_EDM, **own}
    stated = (file.metadata() or {}).get("modelspec.prediction_type", "")
    velocity = _VELOCITY in names or stated in {"v", "v_prediction"}
    changes = {"prediction_type": "v_prediction"} if velocity else {}
    return {**changes, "rescale_betas_zero_snr": True} if _ZERO_SNR in names else changes


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
