"""What stays of a start image while the rest of it is redrawn: inpainting in latent space."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.samplers.sampler import Sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLatents:
    """The start's own latents `clean` and the `noise` they began with, (1, channels, height, width) in float32.

    `mask` is (1, 1, height, width): 1 where the image is drawn anew, 0 where it is kept, as in Lugmayr et al., 2022
    (RePaint; arXiv 2201.09865, eq. 8).
    """

    clean: Tensor
    noise: Tensor
    mask: Tensor

    def put_back(self, latents: Tensor, sampler: Sampler) -> Tensor:
        """`latents` with the kept part as noisy as `sampler` now expects it, and clean at its end."""
        kept = self.clean if sampler.finished else sampler.noised(self.clean, self.noise)
        return (1 - self.mask) * kept + self.mask * latents
