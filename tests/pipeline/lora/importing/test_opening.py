"""A model on disk as the base of imports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.opening import open_base


def test_a_base_is_opened_without_its_weights(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """Only what is read of them says that they are not there."""
    base = open_base(tmp_path / "gone.safetensors", model_folder("nano"), ModelFamily.SDXL)

    layer = next(iter(base.layers.values()))
    assert base.names.find(layer.name) is layer
    with pytest.raises(UserError, match="pull it again"):
        base.weights.read(layer)
