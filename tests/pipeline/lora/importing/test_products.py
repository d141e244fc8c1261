"""Products of small matrices in layouts that LyCORIS does not write, or has no oracle for."""

from typing import Any

import torch
from torch import nn

from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.changes import change_of
from pipeline.lora.importing.parts import TensorRole
from tests.pipeline.lora.importing.oracle import judge
from tests.pipeline.lora.importing.test_changes import described, error, no_base, parts, seeded

LIMIT = 1e-6


SMALL: dict[str, Any] = {"lora_dim": 4, "alpha": 2.0}


class TestPlainLora:
    """Layouts that LyCORIS does not write, or has no oracle for."""

    def test_dylora_is_a_lora_whose_convolutions_are_stored_flat(self) -> None:
        """DyLoRA draws a random rank at each forward, so the product of its halves is the judge."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.CONVOLUTION, shape=(8, 4, 3, 3), bias=False)
        down, up = torch.randn(4, 36).double(), torch.randn(8, 4).double()

        change, _ = change_of(
            {TensorRole.DOWN: down, TensorRole.UP: up, TensorRole.ALPHA: torch.tensor(2.0)}, layer, no_base
        )

        assert change.factors is not None
        assert torch.equal(change.factors.weight.flatten(1), up * 0.5 @ down)

    def test_a_missing_alpha_means_the_rank(self) -> None:
        """The scale is one."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(6, 5), bias=False)
        down, up = torch.randn(3, 5).double(), torch.randn(6, 3).double()

        change, _ = change_of({TensorRole.DOWN: down, TensorRole.UP: up}, layer, no_base)

        assert torch.equal(change.weight(torch.zeros(6, 5).double()), up @ down)

    def test_early_glora_names_its_halves_the_other_way_around(self) -> None:
        """A1111 and ComfyUI read both orders by shape; so is it here."""
        base = seeded(nn.Linear(24, 32))
        judged = judge("glora", base, seed=1, **SMALL)
        names = {"a1.weight": "a2.weight", "a2.weight": "a1.weight", "b1.weight": "b2.weight", "b2.weight": "b1.weight"}
        swapped = {names.get(name, name): tensor for name, tensor in judged.tensors.items()}

        change, _ = change_of(parts(swapped), described(base), base.weight.detach)

        assert error(change.weight(base.weight.detach()), judged.weight) < LIMIT

    def test_a_bias_may_come_with_any_algorithm(self) -> None:
        """A LoRA with a bias of its own."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(6, 5), bias=True)
        bias = torch.randn(6).double()
        tensors = {TensorRole.DOWN: torch.randn(3, 5).double(), TensorRole.UP: torch.randn(6, 3).double()}

        change, _ = change_of({**tensors, TensorRole.BIAS_DIFFERENCE: bias}, layer, no_base)

        assert change.bias is not None
        assert torch.equal(change.bias, bias)
