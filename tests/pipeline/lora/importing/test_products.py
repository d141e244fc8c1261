"""Products of small matrices in layouts that LyCORIS does not write, or has no oracle for."""

from typing import Any

import pytest
import torch
from torch import nn

from pipeline.lora.format.parts import Hada, Kron, LowRank
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.changes import change_of
from pipeline.lora.importing.parts import TensorRole
from tests.pipeline.lora.importing.oracle import judge
from tests.pipeline.lora.importing.test_changes import described, error, parts, seeded, whole

LIMIT = 1e-6


SMALL: dict[str, Any] = {"lora_dim": 4, "alpha": 2.0}


class TestPlainLora:
    """Layouts that LyCORIS does not write, or has no oracle for."""

    def test_dylora_is_a_lora_whose_convolutions_are_stored_flat(self) -> None:
        """DyLoRA draws a random rank at each forward, so the product of its halves is the judge."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.CONVOLUTION, shape=(8, 4, 3, 3), bias=False)
        down, up = torch.randn(4, 36).double(), torch.randn(8, 4).double()

        change = change_of({TensorRole.DOWN: down, TensorRole.UP: up, TensorRole.ALPHA: torch.tensor(2.0)}, layer)

        assert torch.equal(whole(change, torch.zeros(8, 4, 3, 3).double()).flatten(1), up * 0.5 @ down)

    def test_a_missing_alpha_means_the_rank(self) -> None:
        """The scale is one."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(6, 5), bias=False)
        down, up = torch.randn(3, 5).double(), torch.randn(6, 3).double()

        change = change_of({TensorRole.DOWN: down, TensorRole.UP: up}, layer)

        assert torch.equal(whole(change, torch.zeros(6, 5).double()), up @ down)

    @pytest.mark.parametrize("power", [200, 305])
    def test_halves_of_sizes_whose_quotient_is_no_double(self, power: int) -> None:
        """Only a file in double precision can hold them; their product is a usual one."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(6, 5), bias=False)
        down, up = torch.randn(3, 5).double(), torch.randn(6, 3).double()

        for large, small in ((10.0**power, 10.0**-power), (10.0**-power, 10.0**power)):
            change = change_of({TensorRole.DOWN: down * small, TensorRole.UP: up * large}, layer)

            assert error(whole(change, torch.zeros(6, 5).double()), up @ down) < LIMIT

    def test_early_glora_names_its_halves_the_other_way_around(self) -> None:
        """A1111 and ComfyUI read both orders by shape; so is it here."""
        base = seeded(nn.Linear(24, 32))
        judged = judge("glora", base, seed=1, **SMALL)
        names = {"a1.weight": "a2.weight", "a2.weight": "a1.weight", "b1.weight": "b2.weight", "b2.weight": "b1.weight"}
        swapped = {names.get(name, name): tensor for name, tensor in judged.tensors.items()}

        change = change_of(parts(swapped), described(base))

        assert error(whole(change, base.weight), judged.weight) < LIMIT

    def test_a_bias_may_come_with_any_algorithm(self) -> None:
        """A LoRA with a bias of its own."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(6, 5), bias=True)
        bias = torch.randn(6).double()
        tensors = {TensorRole.DOWN: torch.randn(3, 5).double(), TensorRole.UP: torch.randn(6, 3).double()}

        change = change_of({**tensors, TensorRole.BIAS_DIFFERENCE: bias}, layer)

        assert change.bias is not None
        assert torch.equal(change.bias, bias)


KINDS: list[tuple[str, dict[str, Any], type]] = [
    ("lora", {"lora_dim": 100}, LowRank),
    ("loha", {"lora_dim": 8}, LowRank),
    ("loha", {"lora_dim": 9}, Hada),
    ("lokr", {"lora_dim": 4, "factor": 8}, LowRank),
    ("lokr", {"lora_dim": 100, "factor": 8, "full_matrix": True}, Kron),
]


@pytest.mark.parametrize(("algorithm", "options", "kind"), KINDS, ids=str)
def test_small_products_are_low_rank_and_others_keep_their_form(
    algorithm: str, options: dict[str, Any], kind: type
) -> None:
    """Up to rank 64; a LoRA is one at any rank."""
    base = seeded(nn.Linear(128, 128))

    (part,) = change_of(parts(judge(algorithm, base, seed=1, **options).tensors), described(base)).parts

    assert isinstance(part.change, kind)


def test_halves_of_very_different_size_are_balanced() -> None:
    """By powers of two, which lose nothing; half precision can hold both."""
    layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(6, 5), bias=False)
    down, up = torch.randn(3, 5).double() * 1e9, torch.randn(6, 3).double() * 1e-9

    change = change_of({TensorRole.DOWN: down, TensorRole.UP: up}, layer)

    (part,) = change.parts
    assert isinstance(part.change, LowRank)
    assert float(part.change.down.abs().max()) < 1e3
    assert float(part.change.up.abs().max()) > 1e-3
    assert torch.equal(whole(change, torch.zeros(6, 5).double()), up @ down)
