"""Full fine-tuning: every weight learns."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.parts import parts_of
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import weight_change
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.training.candidates import save_changes
from pipeline.training.config import Method
from pipeline.training.full_weights import FullWeights
from pipeline.training.model import open_model
from pipeline.training.request import TrainingRequest


def test_all_weights_learn_in_full_fine_tuning(an_order: Callable[..., TrainingRequest]) -> None:
    model = open_model(an_order(method=Method.FULL).plan, "cpu")
    assert isinstance(model.weights, FullWeights)
    assert sum(one.numel() for one in model.weights.parameters("unet")) == sum(
        one.numel() for one in model.unet.parameters()
    )


def test_what_is_kept_is_equal_to_the_trained_weights(tmp_path: Path) -> None:
    """All of them, norms and biases too: a change of full rank is kept whole."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(40, 30), nn.Conv2d(6, 8, 3), nn.GroupNorm(2, 8)).half()
    weights = FullWeights({"unet": network})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        for parameter in weights.parameters("unet"):
            parameter.add_(1e-2 * torch.randn_like(parameter))
    writer = CanonicalWriter(ModelFamily.SDXL)

    save_changes(weights.changes(), writer, tmp_path / "x.safetensors")

    file, tensors = LoraFile.open(tmp_path / "x.safetensors"), load_file(tmp_path / "x.safetensors")
    kept = dict(before)
    for name, headers in file.layers.items():
        own = f"{name.removeprefix('unet.')}.weight"
        parts = parts_of(headers, name, tensors)
        kept[own] = kept[own] + weight_change(parts, before[own], 1.0, ScaleRule.LINEAR)
    for name in file.vectors:
        layer, _, side = name.removeprefix("unet.").rpartition(".")
        own = f"{layer}.{'weight' if side == 'gain' else side}"
        kept[own] = kept[own] + tensors[name]
    for name, trained in network.state_dict().items():
        assert (kept[name] - trained).norm() <= 1e-6 * (trained - before[name]).norm(), name
