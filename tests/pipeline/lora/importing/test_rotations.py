"""Algorithms on the base's own weight, at the points where what they do is known without an oracle."""

from collections.abc import Callable

import pytest
import torch

from pipeline.lora.format.parts import Change, LowRank, Magnitude, Part
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import part_change
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.parts import TensorRole
from pipeline.lora.importing.products import WrongShape
from pipeline.lora.importing.rotations import boft, dora, ia3, oft

LAYER = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(8, 6), bias=False)
BASE = torch.randn(8, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def weight(change: Change, magnitude: Magnitude | None = None) -> torch.Tensor:
    return BASE + part_change(Part(change=change, magnitude=magnitude), BASE, 1.0, ScaleRule.LINEAR)


@pytest.mark.parametrize(("algorithm", "shape"), [(oft, (2, 4, 4)), (boft, (2, 2, 4, 4))])
def test_rotations_keep_each_inputs_norm(algorithm: Callable[..., Change], shape: tuple[int, ...]) -> None:
    """And change nothing where their blocks are zero; blocks of another size are refused."""
    blocks = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    turned = weight(algorithm({TensorRole.BLOCKS: blocks}, LAYER))
    still = weight(algorithm({TensorRole.BLOCKS: blocks * 0}, LAYER))

    assert torch.allclose(turned.norm(dim=0), BASE.norm(dim=0))
    assert not torch.allclose(turned, BASE, atol=0.1)
    assert torch.allclose(still, BASE)
    with pytest.raises(WrongShape):
        algorithm({TensorRole.BLOCKS: blocks[..., :3, :3]}, LAYER)


@pytest.mark.parametrize(("on_input", "length"), [(True, 6), (False, 8)])
def test_ia3_scales_inputs_or_outputs(on_input: bool, length: int) -> None:
    """By one and its gain."""
    gain = torch.arange(length, dtype=torch.float64)
    tensors = {TensorRole.GAIN: gain, TensorRole.GAIN_ON_INPUT: torch.tensor([float(on_input)])}

    change = ia3(tensors, LAYER)

    assert torch.allclose(weight(change), BASE * (1 + (gain if on_input else gain[:, None])))
    with pytest.raises(WrongShape):
        ia3(tensors | {TensorRole.GAIN: gain[1:]}, LAYER)


@pytest.mark.parametrize("columns", [True, False])
def test_dora_gives_each_row_or_column_its_norm(columns: bool) -> None:
    """In the direction of the base with the plain change."""
    plain = LowRank(up=torch.ones(8, 1).double(), down=torch.ones(1, 6).double())
    magnitude = torch.linspace(1, 2, 6 if columns else 8, dtype=torch.float64)

    norms = dora(magnitude[None] if columns else magnitude[:, None], LAYER)

    changed, direction = weight(plain, norms), weight(plain)
    axis = 0 if columns else 1
    assert torch.allclose(changed.norm(dim=axis), magnitude)
    assert torch.allclose(
        changed / changed.norm(dim=axis, keepdim=True), direction / direction.norm(dim=axis, keepdim=True)
    )
