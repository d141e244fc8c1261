"""A model's noise at each of the timesteps that it was trained with."""

import numpy as np
from torch import Tensor

from pipeline.samplers.noise_level import NoiseLevel


class NoiseTable:
    """Levels by timestep and by sigma, interpolated between the model's own.

    Args:
        alphas: cumulative, by timestep, in float32 on the CPU; a model of zero terminal SNR may end at 0.
    """

    def __init__(self, alphas: Tensor) -> None:
        self._alphas = alphas.tolist()
        # Zero terminal SNR has no finite sigma; diffusers' solvers take this one in its place.
        self._sigmas = (((1 - alphas) / alphas.where(alphas > 0, 2.0**-24)) ** 0.5).numpy()
        self._logarithms = np.log(self._sigmas)

    def __len__(self) -> int:
        return len(self._alphas)

    def at(self, timestep: float) -> NoiseLevel:
        """The level of a timestep.

        Args:
            timestep: from 0 to the last one, whole or not.

        Returns:
            The model's own; between two of them, on the straight line between their sigmas.
        """
        if timestep == int(timestep) and not self._alphas[int(timestep)]:
            return NoiseLevel(timestep=timestep, signal=0.0, noise=1.0)
        return NoiseLevel.of_sigma(float(np.interp(timestep, np.arange(len(self)), self._sigmas)), timestep)

    def of_sigma(self, sigma: float) -> NoiseLevel:
        """The level of a sigma.

        Args:
            sigma: above 0.

        Returns:
            With the timestep that belongs to it, whole or not, on the straight line between logarithms.
        """
        timestep = float(np.interp(np.log(sigma), self._logarithms, np.arange(len(self))))
        return NoiseLevel.of_sigma(sigma, timestep)
