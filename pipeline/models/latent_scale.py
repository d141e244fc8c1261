"""Between what a VAE encodes and what the denoiser was trained on: latents of unit variance around zero."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.transfer import to_device


class LatentScale:
    """The map that a VAE's config describes: one factor, or a mean and a deviation for each channel besides.

    Args:
        config: the VAE's, as diffusers writes it: `scaling_factor`, `shift_factor`, `latents_mean`, `latents_std`.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.factor = float(config["scaling_factor"])
        mean, deviation = config.get("latents_mean"), config.get("latents_std")
        # diffusers takes the two together or not at all.
        each = mean is not None and deviation is not None
        self._mean: Tensor | float = _channels(mean) if each else float(config.get("shift_factor") or 0.0)
        self._deviation: Tensor | float = _channels(deviation) if each else 1.0

    def normalized(self, latents: Tensor) -> Tensor:
        """What the denoiser sees of an image.

        Args:
            latents: (rows, channels, height, width) as the VAE encodes them.

        Returns:
            The same at unit variance.
        """
        mean, deviation = self._on(latents)
        if isinstance(deviation, Tensor):
            return (latents - mean) * self.factor / deviation
        return (latents - mean if mean else latents) * self.factor

    def spread(self, deviation: Tensor) -> Tensor:
        """What becomes of a standard deviation on the way to the denoiser.

        Args:
            deviation: (rows, channels, height, width) as the VAE says it.

        Returns:
            That of the normalized latents.
        """
        return deviation * self.factor / self._on(deviation)[1]

    def encoded(self, latents: Tensor) -> Tensor:
        """What the VAE decodes of the denoiser's latents.

        Args:
            latents: (rows, channels, height, width) at unit variance.

        Returns:
            As the VAE would encode them.
        """
        mean, deviation = self._on(latents)
        if isinstance(deviation, Tensor):
            return latents * deviation / self.factor + mean
        return latents / self.factor + mean if mean else latents / self.factor

    def _on(self, latents: Tensor) -> tuple[Tensor | float, Tensor | float]:
        parts = (self._mean, self._deviation)
        mean, deviation = (
            to_device(part, latents.device, latents.dtype) if isinstance(part, Tensor) else part for part in parts
        )
        return mean, deviation


def _channels(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)
