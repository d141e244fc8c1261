"""What a change is, in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lora.importing.change import Change, Factors


@given(rank=st.integers(1, 6), out=st.integers(1, 8), width=st.integers(1, 8), seed=st.integers(0, 99))
def test_the_norm_of_factors_is_that_of_their_product(rank: int, out: int, width: int, seed: int) -> None:
    """Found without multiplying out."""
    generator = torch.Generator().manual_seed(seed)
    up = torch.randn(out, rank, generator=generator).double()
    factors = Factors(up=up, down=torch.randn(rank, width, generator=generator).double())

    assert factors.norm == pytest.approx(float(factors.weight.norm()), rel=1e-6, abs=1e-9)
    assert Change(factors=factors).tensors[0] is up
