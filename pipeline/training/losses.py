"""The error of a denoiser's answers, as diffusers' DreamBooth scripts define it."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor


class NoiseSchedule:
    """How noise is mixed in at each of the model's timesteps, and what the denoiser is to answer."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._scheduler = DDPMScheduler.from_config(config)
        self.prediction = str(self._scheduler.config.prediction_type)
        self.timesteps = int(self._scheduler.config.num_train_timesteps)

    def noisy(self, clean: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """Clean latents (rows, ...) with as much noise as belongs to `steps` (rows,)."""
        mixed: Tensor = self._scheduler.add_noise(clean, noise, steps)
        return mixed

    def target(self, clean: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """What the denoiser should answer: the noise, or the velocity of Salimans and Ho, 2022 (arXiv 2202.00512)."""
        if self.prediction == "v_prediction":
            velocity: Tensor = self._scheduler.get_velocity(clean, noise, steps)
            return velocity
        return noise

    def weights(self, steps: Tensor, gamma: float | None, *, floor: bool = True) -> Tensor:
        """How much each row counts: 1, or with `gamma` as Hang et al., 2023, weigh it (min-SNR; arXiv 2303.09556).

        For velocities one more with a `floor`, as in diffusers' scripts, so that no row counts for nothing.
        """
        if gamma is None:
            return torch.ones(steps.shape, device=steps.device)
        alphas = self._scheduler.alphas_cumprod.to(steps.device)[steps]
        signal: Tensor = alphas / (1 - alphas)
        bounded = signal.clamp(max=gamma)
        if self.prediction != "v_prediction":
            return bounded / signal
        return bounded / signal + 1 if floor else bounded / (signal + 1)


def row_errors(answers: Tensor, targets: Tensor, masks: Tensor | None = None) -> Tensor:
    """The mean squared error of each row (rows,); where `masks` (rows, 1, height, width) is 0 nothing counts."""
    errors = (answers.float() - targets.float()).square()
    if masks is None:
        return errors.flatten(1).mean(dim=1)
    covered = masks.expand_as(errors).flatten(1)
    return (errors.flatten(1) * covered).sum(dim=1) / covered.sum(dim=1).clamp(min=1.0)


def preserving_loss(errors: Tensor, weights: Tensor, preservation_weight: float) -> Tensor:
    """The mean of the first rows' errors, each by its own of the `weights`, plus the plain mean of the class's rows.

    Only the instances are weighted, and by their own timesteps alone: diffusers once took the class's in as well (its
    pull request 6356).
    """
    instances = len(weights)
    loss = (errors[:instances] * weights).mean()
    if instances < len(errors):
        loss = loss + preservation_weight * errors[instances:].mean()
    return loss
