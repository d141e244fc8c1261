"""The base's weights, the same from a folder and from one file."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind
from pipeline.lora.importing.base_weights import CheckpointWeights, FolderWeights
from pipeline.lora.importing.opening import open_base
from tests.pipeline.ldm_checkpoint import save_checkpoint
from tests.pipeline.lora.importing.measuring import FAMILIES


@pytest.mark.parametrize("name", ["nano", "sd15"])
def test_a_checkpoint_gives_what_its_folder_gives(
    name: str, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Every text layer, and every seventh of the rest, by the original code's names and shapes."""
    folder = model_folder(name)
    save_checkpoint(folder, tmp_path / "model.safetensors")
    base = open_base(folder, folder, FAMILIES[name])
    checkpoint = open_base(tmp_path / "model.safetensors", folder, FAMILIES[name])
    assert isinstance(base.weights, FolderWeights)
    assert isinstance(checkpoint.weights, CheckpointWeights)

    for number, layer in enumerate(base.layers.values()):
        if number % 7 == 0 or not layer.name.startswith("unet."):
            assert torch.equal(base.weights.read(layer), checkpoint.weights.read(layer)), layer.name


def test_a_missing_weight_is_reported(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """In a folder and in a file."""
    layer = BaseLayer(name="unet.nowhere", kind=LayerKind.LINEAR, shape=(2, 2), bias=False)
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")

    with pytest.raises(UserError, match=r"lacks unet\.nowhere"):
        FolderWeights(model_folder("nano")).read(layer)
    with pytest.raises(UserError, match="lacks a tensor"):
        CheckpointWeights(tmp_path / "model.safetensors", FAMILIES["nano"], {}).read(layer)
