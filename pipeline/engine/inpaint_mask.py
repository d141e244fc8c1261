"""What stays of a start image while the rest of it is redrawn: inpainting in latent space."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.samplers.sampler import Sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLatents:
    """The start image's own latents, where a mask keeps them (RePaint: Lugmayr et al., 2022, arXiv 2201.09865, eq. 8).

    `clean` are those latents and `noise` is what they were mixed with, both (1, channels, height, width) in float32;
    `mask` is (1, 1, height, width): 1 where the image is redrawn, 0 where it is kept.
    """

    clean: Tensor
    noise: Tensor
    mask: Tensor

    def put_back(self, latents: Tensor, sampler: Sampler) -> Tensor:
        """Replace the kept part of the latents after a step.

        Args:
            latents: (1, channels, height, width).
            sampler: after the step; says how noisy the latents are now.

        Returns:
            The latents, with the kept part as noisy as the rest, and without noise after the last step.
        """
        kept = self.clean if sampler.finished else sampler.noised(self.clean, self.noise)
        return (1 - self.mask) * kept + self.mask * latents
