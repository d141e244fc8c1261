"""A layer's own weight against the plain reference: at true widths, on two bases, by every rule, alone and summed."""

from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from pipeline.lora.format.parts import Part
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import part_change
from pipeline.lora.serving.own_weight import ScaledPart, measured, own_weight
from pipeline.lora.serving.scratch import Scratch
from pipeline.models.hardware import Hardware
from pipeline.models.quantization import quantize
from tests.pipeline.lora.serving.random_parts import KINDS

CPU = torch.device("cpu")
LINEAR, CONV = (1280, 640), (640, 64, 3, 3)
Use = tuple[Part, float, ScaleRule]


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def change(base: Tensor, uses: Sequence[Use], scratch: Scratch | None = None) -> Tensor:
    """What is served, less the base."""
    parts = [ScaledPart(own=measured(part, base), scale=scale, rule=rule) for part, scale, rule in uses]
    return own_weight(base, parts, scratch or Scratch(CPU)) - base


def reference(base: Tensor, uses: Sequence[Use]) -> Tensor:
    return sum((part_change(part, base, scale, rule) for part, scale, rule in uses), torch.zeros_like(base))


@pytest.mark.parametrize("shape", [LINEAR, CONV], ids=["linear", "conv"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_changes_a_weight_as_the_reference_does(kind: str, shape: tuple[int, ...]) -> None:
    """By each rule that a file may have, at scales on both sides of 1, on a second base from the same file."""
    torch.manual_seed(0)
    part, scratch = KINDS[kind](shape), Scratch(CPU)
    base = torch.randn(shape, dtype=torch.float64)
    for rule, scale, own in zip(
        ScaleRule, (1.0, 0.7, -0.4, 1.3), (base, base, base + 0.2 * torch.randn(shape), base), strict=True
    ):
        uses = [(part, scale, rule)]
        assert relative(change(own, uses, scratch), reference(own, uses)) < 1e-10, rule


def test_a_sum_is_that_of_its_parts_in_any_order() -> None:
    """Each against the pristine base."""
    torch.manual_seed(0)
    base = torch.randn(64, 32, dtype=torch.float64)
    uses = [
        (KINDS[kind]((64, 32)), scale, ScaleRule.LINEAR)
        for kind, scale in zip(KINDS, (0.3, -0.7, 1.2) * 6, strict=False)
    ]
    expected = reference(base, uses)

    for order in list(permutations(range(4)))[::5]:
        shuffled = [uses[place] for place in order] + uses[4:]
        assert relative(change(base, shuffled), expected) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_scale_0_is_the_base_to_the_bit(kind: str) -> None:
    base = torch.randn(64, 32)

    assert not change(base, [(KINDS[kind]((64, 32)), 0.0, ScaleRule.LINEAR)]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_half_precise_weight_is_rounded_once(kind: str) -> None:
    """It is the nearest number to what is computed in float64, but for ties."""
    torch.manual_seed(0)
    base = torch.randn(64, 32).bfloat16()
    uses = [(KINDS[kind]((64, 32)), 0.7, ScaleRule.LINEAR)]
    exact = base.double() + reference(base.double(), uses)

    ours = own_weight(
        base, [ScaledPart(own=measured(part, base), scale=scale) for part, scale, _ in uses], Scratch(CPU)
    )

    assert ours.dtype == torch.bfloat16
    assert float((ours != exact.bfloat16()).double().mean()) < 0.002
    assert relative(ours.double(), exact) < 0.003


def test_scratch_grows_to_the_largest_layer_and_is_wiped() -> None:
    """One guild's changes are not left for another's."""
    scratch = Scratch(CPU)
    for shape in ((8, 8), (64, 32), (16, 8)):
        change(torch.randn(shape), [(KINDS["dora over hada, of columns"](shape), 1.0, ScaleRule.LINEAR)], scratch)
    assert scratch.size == 4 * 64 * 32 * 4

    scratch.wipe()

    assert not any(slot.any() for slot in scratch._slots.values())


def test_a_quantized_base_is_what_its_numbers_stand_for() -> None:
    """A change is not rounded with it."""
    pytest.importorskip("torchao", reason="the extra fp8 is not installed")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(32, 64)).requires_grad_(False)
    quantize(network, Hardware.choose("cpu"))
    weight = network.get_parameter("0.weight")
    rounded = weight.dequantize()
    part = KINDS["dora"]((64, 32))

    ours = own_weight(weight, [ScaledPart(own=measured(part, weight), scale=0.7)], Scratch(CPU))

    wanted = rounded.double() + reference(rounded.double(), [(part, 0.7, ScaleRule.LINEAR)])
    assert relative(ours.double(), wanted) < 1e-6
