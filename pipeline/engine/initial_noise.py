"""The noise that an image begins with: drawn from its seed, bent towards other seeds by its variations."""

import torch
from torch import Tensor

from pipeline.requests.image_request import ImageRequest


def initial_noise(
    request: ImageRequest, shape: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """The noise that a request begins with, drawn on the CPU on every device.

    Each variation goes `strength` of the way along the great circle to the noise of its own seed, as AUTOMATIC1111's
    variation seed does; the angle is taken over the whole image. What a sampler draws later comes from the request's
    seed alone.

    Args:
        request: its variations.
        shape: of the latents.
        dtype: to draw in.
        generator: holds the request's seed.

    Returns:
        Noise of that shape.
    """
    noise = torch.randn(shape, generator=generator, dtype=dtype)
    for variation in request.variations:
        other = torch.randn(shape, generator=torch.Generator().manual_seed(variation.seed), dtype=dtype)
        noise = slerp(noise, other, variation.strength)
    return noise


def slerp(start: Tensor, end: Tensor, strength: float) -> Tensor:
    """Spherical interpolation (Shoemake, 1985) between two noises; unlike a weighted mean it keeps their variance.

    Args:
        start: of any shape.
        end: of the same shape.
        strength: from 0, the start, to 1, the end.

    Returns:
        The point on the great circle through both.
    """
    first, second = start.double().flatten(), end.double().flatten()
    angle = torch.acos((first / first.norm() @ (second / second.norm())).clamp(-1, 1))
    if angle < 1e-6:
        return start
    mixed = torch.sin((1 - strength) * angle) * first + torch.sin(strength * angle) * second
    return (mixed / torch.sin(angle)).reshape(start.shape).to(start.dtype)
