"""Latents to mix noise into."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import Tensor


@pytest.fixture
def latents() -> "tuple[Tensor, Tensor]":
    """Clean ones, and noise."""
    # Not at the top: the fast tests read this file, and none of them may load torch.
    import torch  # noqa: PLC0415

    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    return clean, noise
