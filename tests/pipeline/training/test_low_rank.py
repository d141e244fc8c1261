"""A LoRA while it is learnt: it computes what peft's does, and what is kept of it does the same."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import weight_change
from pipeline.training.config import TrainingConfig
from pipeline.training.low_rank import LowRankLayer, LowRankWeights
from pipeline.training.model import open_model
from pipeline.training.request import TrainingRequest
from tests.pipeline.training.passes import answer


def plan_of(**changes: Any) -> TrainingConfig:
    fields: dict[str, Any] = {"rank": 4, "alpha": 8.0}
    return TrainingConfig(
        model="x", instance_prompt="j dog", class_prompt="dog", area=1, steps=1, seed=0, **{**fields, **changes}
    )


def layers() -> list[nn.Linear | nn.Conv2d]:
    torch.manual_seed(0)
    return [nn.Linear(12, 20), nn.Linear(12, 20, bias=False), nn.Conv2d(12, 20, 3, stride=2, padding=1)]


def inputs(layer: nn.Module) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 5, 12) if isinstance(layer, nn.Linear) else torch.randn(2, 12, 9, 9)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("dora", [False, True])
def test_a_layer_computes_what_peft_does(number: int, dora: bool) -> None:
    base = layers()[number]
    ours = LowRankLayer(copy.deepcopy(base), plan_of(dora=dora), torch.Generator().manual_seed(0))
    holder = nn.Module()
    holder.layer = copy.deepcopy(base)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["layer"], use_dora=dora, init_lora_weights=True)
    theirs = inject_adapter_in_model(config, holder).layer
    with torch.no_grad():
        ours.up.normal_()
        theirs.lora_A["default"].weight.copy_(ours.down.view_as(theirs.lora_A["default"].weight))
        theirs.lora_B["default"].weight.copy_(ours.up.view_as(theirs.lora_B["default"].weight))
        if ours.gain is not None:
            ours.gain.mul_(1.1)
            magnitude = theirs.lora_magnitude_vector["default"].weight
            magnitude.copy_(ours.gain.view_as(magnitude))
    x = inputs(base)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("dora", [False, True])
def test_the_kept_change_does_what_the_layer_did(number: int, dora: bool) -> None:
    base = layers()[number]
    layer = LowRankLayer(copy.deepcopy(base), plan_of(dora=dora), torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.up.normal_()
        if layer.gain is not None:
            layer.gain.mul_(0.9)
        weight = base.weight.double()
        base.weight.add_(weight_change(layer.change().parts, weight, 1.0, ScaleRule.LINEAR).float())
    x = inputs(base)
    torch.testing.assert_close(layer(x), base(x), rtol=1e-4, atol=1e-4)


def test_only_the_lora_learns(an_order: Callable[..., TrainingRequest]) -> None:
    model = open_model(an_order().plan, "cpu")
    answer(model, grad=True).sum().backward()  # type: ignore[no-untyped-call]  # torch's own
    moved = [parameter for parameter in model.unet.parameters() if parameter.grad is not None]
    assert {id(one) for one in moved} == {id(one) for one in model.weights.parameters("unet")}
    assert isinstance(model.weights, LowRankWeights)
