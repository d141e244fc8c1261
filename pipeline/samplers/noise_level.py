"""How much of a walk's latents is image and how much is noise, where it is."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseLevel:
    """One place of a walk: latents of unit variance are `signal` times the image plus `noise` times the noise.

    `timestep` is what the denoiser is told, whole or not. At a model's zero terminal SNR `signal` is 0; after the last
    step `noise` is.
    """

    timestep: float
    signal: float
    noise: float

    @classmethod
    def of_sigma(cls, sigma: float, timestep: float) -> "NoiseLevel":
        """The level of a sigma, which is the noise in units of the signal (Karras et al., 2022; arXiv 2206.00364).

        Args:
            sigma: from 0.
            timestep: what the denoiser is told there.

        Returns:
            The level.
        """
        signal = 1 / math.sqrt(1 + sigma * sigma)
        return cls(timestep=timestep, signal=signal, noise=sigma * signal)

    @property
    def sigma(self) -> float:
        """The noise in units of the signal; infinite where there is no signal."""
        return self.noise / self.signal if self.signal else math.inf

    @property
    def log_snr(self) -> float:
        """Half the logarithm of the ratio of signal to noise, lambda of Lu et al., 2022 (arXiv 2211.01095)."""
        return -math.log(self.sigma) if self.noise else math.inf

    def image_of(self, prediction: str) -> tuple[float, float]:
        """With what the latents and the denoiser's answer are weighted to guess the image.

        Args:
            prediction: what the denoiser answers, by diffusers' name.

        Returns:
            The two weights.
        """
        match prediction:
            case "v_prediction":
                return self.signal, -self.noise
            case "sample":
                return 0.0, 1.0
            case _:
                # Noise tells nothing of an image that is not there; as faint a one as diffusers' solvers assume.
                signal = self.signal or 2.0**-12
                return 1 / signal, -self.noise / signal

    def noise_of(self, prediction: str) -> tuple[float, float]:
        """With what the latents and the denoiser's answer are weighted to guess the noise.

        Args:
            prediction: what the denoiser answers, by diffusers' name.

        Returns:
            The two weights.
        """
        match prediction:
            case "v_prediction":
                return self.noise, self.signal
            case "sample":
                return 1 / self.noise, -self.signal / self.noise
            case _:
                return 0.0, 1.0
