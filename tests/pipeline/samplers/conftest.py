"""Latents to mix noise into."""

import pytest
import torch
from torch import Tensor


@pytest.fixture
def latents() -> tuple[Tensor, Tensor]:
    """Clean ones, and noise."""
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    return clean, noise
