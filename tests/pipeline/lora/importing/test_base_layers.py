"""The layers of a base, from its configs alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.base_layers import LayerKind, layers_of, skeleton
from tests.pipeline.lora.importing.formats import load_networks
from tests.pipeline.lora.importing.measuring import FAMILIES


@pytest.mark.parametrize("name", FAMILIES)
def test_the_configs_tell_what_the_loaded_model_has(name: str, model_folder: Callable[[str], Path]) -> None:
    """Names, kinds, shapes and biases."""
    folder = model_folder(name)

    assert skeleton(folder, FAMILIES[name]) == layers_of(load_networks(folder))


def test_grouped_convolutions_and_other_modules_are_no_layers() -> None:
    """And transformers' wrapper around CLIP is in no name."""
    network = nn.ModuleDict(
        {
            "text_model": nn.ModuleDict({"q_proj": nn.Linear(3, 5, bias=False)}),
            "conv": nn.Conv2d(4, 6, (3, 1)),
            "grouped": nn.Conv2d(4, 4, 3, groups=2),
            "norm": nn.GroupNorm(2, 4),
            "act": nn.SiLU(),
        }
    )

    layers = layers_of({"text_encoder": network})

    assert {name: (layer.kind, layer.shape, layer.bias) for name, layer in layers.items()} == {
        "text_encoder.q_proj": (LayerKind.LINEAR, (5, 3), False),
        "text_encoder.conv": (LayerKind.CONVOLUTION, (6, 4, 3, 1), True),
        "text_encoder.norm": (LayerKind.NORM, (4,), True),
    }
    convolution = layers["text_encoder.conv"]
    assert (convolution.outputs, convolution.inputs, convolution.kernel) == (6, 4, (3, 1))


def test_a_config_of_another_kind_is_one_sentence(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """With what to do."""
    folder = shutil.copytree(model_folder("nano"), tmp_path / "model")
    (folder / "unet" / "config.json").write_text(json.dumps({"block_out_channels": "many"}))

    with pytest.raises(UserError, match="describes no model that Limner knows; pull it again"):
        skeleton(folder, ModelFamily.SDXL)
