"""Every algorithm at SDXL's widths, from the imported file, against LyCORIS's and PEFT's own forwards in float64."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, OFTConfig, inject_adapter_in_model
from torch import Tensor, nn

from pipeline.lora.format.parts import Axis, Difference, Kron, LowRank, Magnitude, Part, Stretch, TurnIn
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import bias_change, part_change, weight_change
from tests.pipeline.lora.format.wide import CASES, LAYERS, error, parts_in, seeded, some_inputs, stored, through
from tests.pipeline.lora.importing.oracle import hooked

LIMIT = 1e-6


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> nn.Linear | nn.Conv2d:
    return seeded(request.param)


# A Linear has no Tucker core.
JUDGED = [
    (name, case) for name, layer in LAYERS.items() for case in CASES if "tucker" not in case or layer.weight.ndim > 2
]


@pytest.mark.parametrize(("layer", "case"), JUDGED, indirect=["layer"])
def test_a_change_is_that_of_lycoris_at_any_scale(case: str, layer: nn.Linear | nn.Conv2d, tmp_path: Path) -> None:
    """By its rule; Limner's own is a multiple of LyCORIS's at scale 1."""
    algorithm, options = CASES[case]
    inputs, base = some_inputs(layer), layer.weight
    tensors, whole = hooked(algorithm, layer, inputs, **options)
    _, part_of_it = hooked(algorithm, layer, inputs, scale=0.7, tensors=tensors, **options)

    file = stored(tensors, layer, tmp_path, ScaleRule.LYCORIS)

    def change(scale: float, rule: ScaleRule) -> Tensor:
        return through(weight_change(parts_in(file), base, scale, rule), inputs)

    assert all(part.fits(tuple(base.shape)) for part in file.layers["unet.0"])
    assert error(change(0.7, ScaleRule.LYCORIS), part_of_it) < LIMIT
    assert error(change(-0.5, ScaleRule.LINEAR), -0.5 * whole) < LIMIT


@pytest.mark.parametrize(
    "case", ["DoRA, output axis", "LoKr with DoRA, input axis", "(IA)^3, input", "GLoRA", "diag-OFT", "LoHa of rank 32"]
)
def test_a_file_changes_a_sibling_as_its_trainer_would(case: str, tmp_path: Path) -> None:
    """A second base of the family: the same file over other weights, a fifth of them new."""
    algorithm, options = CASES[case]
    first, second = seeded("linear 640"), seeded("linear 640")
    second.weight.add_(0.2 * seeded("linear 640", seed=7).weight)
    inputs = some_inputs(first)
    tensors, own = hooked(algorithm, first, inputs, **options)
    _, sibling = hooked(algorithm, second, inputs, tensors=tensors, **options)

    parts = parts_in(stored(tensors, first, tmp_path))

    assert error(through(weight_change(parts, first.weight, 1.0, ScaleRule.LINEAR), inputs), own) < LIMIT
    assert error(through(weight_change(parts, second.weight, 1.0, ScaleRule.LINEAR), inputs), sibling) < LIMIT
    if algorithm not in {"loha", "lokr"} or "DoRA" in case:
        assert error(own, sibling) > 0.01


def test_several_loras_add_up_over_the_pristine_base(tmp_path: Path) -> None:
    """As LyCORIS's chained hooks do."""
    layer = seeded("linear 640")
    inputs, total = some_inputs(layer), torch.zeros(3, 640).double()
    parts: list[Part] = []
    for number, case in enumerate(("DoRA, output axis", "diag-OFT", "(IA)^3, input", "LoKr, factor 8")):
        algorithm, options = CASES[case]
        (tmp_path / str(number)).mkdir()
        tensors, own = hooked(algorithm, layer, inputs, **options)
        total += own
        parts += parts_in(stored(tensors, layer, tmp_path / str(number)))

    for order in (parts, parts[::-1]):
        assert error(through(weight_change(order, layer.weight, 1.0, ScaleRule.LINEAR), inputs), total) < LIMIT


class TestAgainstPeft:
    """Whose forward is the judge."""

    @pytest.mark.parametrize("dora", [False, True])
    @pytest.mark.parametrize("scale", [1.0, 0.7])
    def test_lora_and_dora(self, layer: nn.Linear | nn.Conv2d, dora: bool, scale: float) -> None:
        """Its rule takes DoRA's norms at the scale that is asked for."""
        theirs = adapted(layer, LoraConfig(r=16, lora_alpha=8, target_modules=["layer"], use_dora=dora))
        down, up = theirs.lora_A["default"].weight, theirs.lora_B["default"].weight
        up.copy_(torch.randn(up.shape) * 0.1)
        magnitude = None
        if dora:
            norms = theirs.lora_magnitude_vector["default"].weight
            norms.mul_(1 + 0.1 * torch.randn(norms.shape))
            magnitude = Magnitude(norms=norms.flatten())
        theirs.set_scale("default", scale)
        part = Part(change=LowRank(down=down, up=up.flatten(1) * 0.5), magnitude=magnitude)

        inputs = some_inputs(layer)
        ours = through(part_change(part, layer.weight, scale, ScaleRule.PEFT), inputs)

        assert error(ours, theirs(inputs) - layer(inputs)) < LIMIT

    @pytest.mark.parametrize("axis", [Axis.BOTH, Axis.IN])
    def test_ia3_scales_the_bias_too(self, axis: Axis) -> None:
        """Where it is on the outputs."""
        layer = seeded("linear 640")
        feedforward = ["layer"] if axis is Axis.IN else []
        theirs = adapted(layer, IA3Config(target_modules=["layer"], feedforward_modules=feedforward))
        gain = theirs.ia3_l["default"]
        gain.add_(0.1 * torch.randn(gain.shape))
        parts = [Part(change=Stretch(gain=gain.flatten() - 1, axis=axis))]

        inputs = some_inputs(layer)
        ours = through(weight_change(parts, layer.weight, 1.0, ScaleRule.LINEAR), inputs)
        assert layer.bias is not None
        ours = ours + bias_change(parts, layer.bias, 1.0)

        assert error(ours, theirs(inputs) - layer(inputs)) < LIMIT

    def test_oft_turns_the_inputs(self) -> None:
        """Of a Linear."""
        layer = seeded("linear 640")
        config = OFTConfig(r=0, oft_block_size=32, target_modules=["layer"], use_cayley_neumann=False)
        theirs = adapted(layer, config)
        rotation = theirs.oft_R["default"]
        rotation.weight.copy_(0.1 * torch.randn(rotation.weight.shape))
        blocks = rotation._cayley_batch(rotation.weight, 32, False)
        part = Part(change=TurnIn(blocks=blocks.transpose(1, 2) - torch.eye(32)))

        inputs = some_inputs(layer)
        ours = through(part_change(part, layer.weight, 1.0, ScaleRule.LINEAR), inputs)

        assert error(ours, theirs(inputs) - layer(inputs)) < LIMIT


def adapted(layer: nn.Module, config: Any) -> Any:
    """A copy of `layer` with PEFT's adapter, in float64."""
    torch.manual_seed(0)
    holder = nn.Module()
    holder.layer = copy.deepcopy(layer)
    return inject_adapter_in_model(config, holder).double().layer.requires_grad_(requires_grad=False)


class TestScaleRules:
    """At scales other than 1."""

    BASE = torch.randn(12, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    HALVES = LowRank(down=torch.full((2, 8), 0.3).double(), up=torch.linspace(-1, 1, 24).double().reshape(12, 2))

    @pytest.mark.parametrize("on_input", [False, True])
    def test_comfyui_divides_by_the_base_alone_on_the_output_axis(self, on_input: bool) -> None:
        """Blending the new weight in by the scale."""
        changed = self.BASE + self.HALVES.up @ self.HALVES.down
        axis = 0 if on_input else 1
        norms = torch.linspace(1, 2, 8 if on_input else 12).double()
        lengths = (changed if on_input else self.BASE).norm(dim=axis)
        expected = 0.7 * (changed * (norms / lengths).unsqueeze(axis) - self.BASE)
        part = Part(change=self.HALVES, magnitude=Magnitude(norms=norms, on_input=on_input))

        assert error(part_change(part, self.BASE, 0.7, ScaleRule.COMFYUI), expected) < LIMIT

    @pytest.mark.parametrize("rule", ScaleRule)
    def test_what_is_linear_is_so_by_every_rule(self, rule: ScaleRule) -> None:
        """And a part's own scale multiplies the request's."""
        for change in (
            self.HALVES,
            Kron(first=self.HALVES.up[:4, :2], second=torch.ones(3, 4)),
            Difference(values=self.BASE),
        ):
            whole = part_change(Part(change=change), self.BASE, 1.0, ScaleRule.LINEAR)
            own = part_change(Part(change=change, scale=0.5), self.BASE, 0.4, rule)
            torch.testing.assert_close(own, 0.2 * whole)

    def test_only_the_linear_rule_leaves_the_base_at_zero(self) -> None:
        """As the others' programs do not."""
        part = Part(change=self.HALVES, magnitude=Magnitude(norms=torch.linspace(1, 2, 12).double()))
        at_zero = {rule: bool(part_change(part, self.BASE, 0.0, rule).any()) for rule in ScaleRule}

        assert at_zero == {
            ScaleRule.LINEAR: False,
            ScaleRule.LYCORIS: True,
            ScaleRule.PEFT: True,
            ScaleRule.COMFYUI: False,
        }
