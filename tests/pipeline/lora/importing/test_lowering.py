"""From exact changes to factors of limited rank."""

import pytest
import torch

from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.change import Change, Factors
from pipeline.lora.importing.lowering import balanced, lower


def test_a_dense_change_is_cut_at_the_best_factors() -> None:
    """The reported residual is the real one, and no product of rank 256 has a smaller one."""
    weight = torch.randn(400, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layer = BaseLayer(name="unet.wide", kind=LayerKind.LINEAR, shape=(400, 300), bias=False)

    lowered = lower(Change(dense=weight), layer, lambda: weight)

    assert lowered is not None
    assert lowered.factors.rank == 256
    singular = torch.linalg.svdvals(weight)
    assert lowered.residual == pytest.approx(float(singular[256:].norm()), rel=1e-6)
    assert float((lowered.factors.weight - weight).norm()) == pytest.approx(lowered.residual, rel=1e-6)


def test_a_dense_change_of_low_rank_keeps_that_rank() -> None:
    """No rank is spent on what rounding takes."""
    weight = torch.randn(50, 3, dtype=torch.float64) @ torch.randn(3, 40, dtype=torch.float64)

    layer = BaseLayer(name="unet.wide", kind=LayerKind.LINEAR, shape=(50, 40), bias=False)

    lowered = lower(Change(dense=weight), layer, lambda: weight)

    assert lowered is not None
    assert lowered.factors.rank == 3


def test_balancing_loses_nothing() -> None:
    """It multiplies and divides by powers of two."""
    factors = Factors(up=torch.randn(6, 2).double() * 1e-9, down=torch.randn(2, 5).double() * 1e9)

    assert torch.equal(balanced(factors).weight, factors.weight)
