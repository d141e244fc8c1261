"""Guidance as distilled models read it."""

import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from pipeline.text.guidance_embedding import guidance_embedding


@pytest.mark.parametrize(("scale", "width"), [(8.5, 256), (1.0, 256), (0.0, 32), (7.3, 33)])
def test_it_is_that_of_diffusers_to_the_bit(scale: float, width: int) -> None:
    """Angles are in the thousands, where float32's rounding shows."""
    theirs = StableDiffusionXLPipeline.get_guidance_scale_embedding(
        None, torch.tensor(scale - 1).repeat(1), embedding_dim=width
    )

    assert torch.equal(guidance_embedding(scale, width), theirs)
