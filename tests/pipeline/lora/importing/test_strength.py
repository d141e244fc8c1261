"""How strong a change is, told without its base."""

import pytest
import torch
from torch import Tensor

from pipeline.lora.format.parts import (
    Added,
    Axis,
    Before,
    Change,
    Difference,
    Hada,
    Kron,
    LowRank,
    Magnitude,
    Part,
    Stretch,
    Turn,
    TurnIn,
)
from pipeline.lora.format.weight_change import added_weight
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.strength import EXPLODED, strength

LAYER = BaseLayer(name="unet.0", kind=LayerKind.CONVOLUTION, shape=(12, 8, 3, 3), bias=False)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def halves(rank: int) -> LowRank:
    return LowRank(down=drawn(rank, 8, 3, 3), up=drawn(12, rank))


@pytest.mark.parametrize(
    "change",
    [
        halves(3),
        halves(100),
        Kron(first=drawn(4, 2), second=drawn(3, 4, 3, 3)),
        Kron(first=drawn(4, 2), second=LowRank(down=drawn(2, 4, 3, 3), up=drawn(3, 2))),
        Difference(values=drawn(12, 8, 3, 3)),
        Hada(first=halves(2), second=LowRank(down=drawn(3, 8, 3, 3) * 100, up=drawn(12, 3))),
    ],
    ids=lambda change: type(change).__name__,
)
def test_an_added_change_is_measured_against_a_usual_weight(change: Added) -> None:
    """One whose outputs are as large as its inputs: of variance one over the inputs of an output."""
    usual = LAYER.inputs * 9
    exact = float(added_weight(change, torch.zeros(LAYER.shape).double()).square().mean().sqrt()) * usual**0.5

    assert strength(Part(change=change), LAYER) == pytest.approx(exact, rel=1e-6)


def test_a_weak_hadamard_product_is_bounded_without_multiplying() -> None:
    """From above, and zero only where it is."""
    weak = Hada(first=LowRank(down=drawn(2, 8, 3, 3) * 1e-3, up=drawn(12, 2)), second=halves(2))
    exact = float(added_weight(weak, torch.zeros(LAYER.shape).double()).norm()) / 12**0.5

    assert exact <= strength(Part(change=weak), LAYER) < EXPLODED
    assert (
        strength(Part(change=Hada(first=LowRank(down=drawn(2, 8, 3, 3), up=drawn(12, 2) * 0), second=halves(2))), LAYER)
        == 0
    )


@pytest.mark.parametrize(
    "change",
    [
        Before(down=drawn(2, 8), up=drawn(8, 2)),
        Stretch(gain=drawn(12), axis=Axis.OUT),
        Turn(blocks=drawn(1, 3, 4, 4)),
        Turn(blocks=torch.zeros(1, 3, 4, 4), rescale=drawn(12)),
        TurnIn(blocks=drawn(2, 4, 4)),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_change_of_the_base_itself_is_measured_as_a_multiple_of_it(change: Change) -> None:
    """Of the size of its own numbers."""
    assert 0.1 < strength(Part(change=change), LAYER) < EXPLODED


def test_doras_norms_tell_the_size_of_what_they_hold() -> None:
    """However large the change is that they are over."""
    part = Part(change=halves(3), magnitude=Magnitude(norms=torch.full((12,), 2.0).double()))

    assert strength(part, LAYER) == pytest.approx(2.0)
