"""How strong guidance is, as a denoiser reads it that was distilled with it."""

import torch
from torch import Tensor


def guidance_embedding(scale: float, width: int) -> Tensor:
    """Guidance as latent consistency models are told of it (Luo et al., 2023; arXiv 2310.04378): the sines and cosines
    of a thousand times what it is above 1, as timesteps are embedded.

    Args:
        scale: of the guidance, from 0.
        width: how many numbers the denoiser reads.

    Returns:
        (1, width), in float32.
    """
    half = width // 2
    # Every product in float32, as these models were trained: of such large angles its rounding is part.
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = torch.tensor(scale - 1, dtype=torch.float32) * 1000.0 * rates
    embedding = torch.cat([angles.sin(), angles.cos(), torch.zeros(width % 2)])
    return embedding[None]
