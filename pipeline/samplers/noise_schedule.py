"""A model's noise in both directions: mixed in for training, taken out step by step for sampling."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from pipeline.errors import UserError
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.edm import EdmSampler, is_edm
from pipeline.samplers.sampler import Sampler


class NoiseSchedule:
    """How much noise a model knows at each of its timesteps, and what its denoiser answers there.

    The forward process is that of Ho et al., 2020 (DDPM; arXiv 2006.11239): timestep 0 has the least noise.

    Args:
        config: the model's own scheduler config, as diffusers writes it to `scheduler_config.json`.
        aligned: the published sigmas of the model's family for the spacing AYS; empty where there are none.

    Attributes:
        prediction: what the denoiser answers, by diffusers' name: `epsilon`, `v_prediction` or `sample`.
        timesteps: how many there are, 1,000 for Stable Diffusion.

    Raises:
        UserError: there is no such noise.
    """

    def __init__(self, config: Mapping[str, Any], aligned: Sequence[float] = ()) -> None:
        self._config = config
        self._aligned = aligned
        try:
            self._scheduler = DDPMScheduler.from_config(config)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise UserError(
                "The scheduler of this model describes no noise that Limner knows; pull the model again."
            ) from error
        self.prediction = str(self._scheduler.config.prediction_type)
        self.timesteps = int(self._scheduler.config.num_train_timesteps)

    def sampler(
        self, kind: Scheduler, steps: int, made: int | None = None, spacing: Spacing = Spacing.NORMAL
    ) -> Sampler:
        """One walk from noise to an image.

        Args:
            kind: the sampler's rule.
            steps: into how many the whole way is divided, at least 1.
            made: how many of them are walked, the last ones; None for all.
            spacing: of the steps.

        Returns:
            The walk at its start.

        Raises:
            InvalidRequest: this kind cannot take so many steps, or not through the model's noise.
        """
        if is_edm(self._config):
            return EdmSampler(kind, self._config, steps, made, spacing=spacing)
        return Sampler(kind, self._config, steps, made, spacing=spacing, aligned=self._aligned)

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What a denoiser is shown in training (Ho et al., 2020, eq. 4).

        Args:
            clean: latents (rows, channels, height, width), scaled to unit variance.
            noise: standard normal, of the shape of `clean`.
            timesteps: each row's, (rows,), whole numbers from 0 to `self.timesteps` - 1.

        Returns:
            The mixture, of the shape of `clean` and of unit variance.
        """
        mixed: Tensor = self._scheduler.add_noise(clean, noise, timesteps)
        return mixed

    def target(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the denoiser should answer to `add_noise` of the same arguments.

        Args:
            clean: latents (rows, channels, height, width), scaled to unit variance.
            noise: standard normal, of the shape of `clean`.
            timesteps: each row's, (rows,), whole numbers from 0 to `self.timesteps` - 1.

        Returns:
            The noise, or the velocity of Salimans and Ho, 2022 (arXiv 2202.00512), of the shape of `clean`.
        """
        if self.prediction == "v_prediction":
            velocity: Tensor = self._scheduler.get_velocity(clean, noise, timesteps)
            return velocity
        return noise

    def snr_weights(self, timesteps: Tensor, gamma: float | None, *, floor: bool = True) -> Tensor:
        """How much the error of each row counts, by its ratio of signal to noise.

        Min-SNR of Hang et al., 2023 (arXiv 2303.09556): the ratio, bounded by `gamma`, by the ratio itself.

        Args:
            timesteps: each row's, (rows,).
            gamma: the bound, above 0, 5 in the paper; None weighs all rows alike.
            floor: for velocities, add 1 as diffusers' scripts do, so that no row counts for nothing.

        Returns:
            The weights (rows,), from 0; all 1 without `gamma`.
        """
        if gamma is None:
            return torch.ones(timesteps.shape, device=timesteps.device)
        alphas = self._scheduler.alphas_cumprod.to(timesteps.device)[timesteps]
        signal: Tensor = alphas / (1 - alphas)
        bounded = signal.clamp(max=gamma)
        if self.prediction != "v_prediction":
            return bounded / signal
        return bounded / signal + 1 if floor else bounded / (signal + 1)
