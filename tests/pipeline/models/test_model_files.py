"""Which files of a model's folder are its weights."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.models.model_files import component_files

WHOLE, HALF, OTHER_HALF = "model.safetensors", "model.fp16.safetensors", "model.bf16.safetensors"
UNAVERAGED, HALF_UNAVERAGED = "model.non_ema.safetensors", "model.non_ema.fp16.safetensors"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


@pytest.mark.parametrize(
    ("there", "read"),
    [
        ([WHOLE, HALF, OTHER_HALF, UNAVERAGED, HALF_UNAVERAGED], [WHOLE]),
        ([HALF, OTHER_HALF, HALF_UNAVERAGED], [HALF]),
        ([OTHER_HALF], [OTHER_HALF]),
        (SHARDS, SHARDS),
    ],
)
def test_one_precision_of_the_averaged_weights_is_read(there: list[str], read: list[str], tmp_path: Path) -> None:
    """Or each weight would count twice."""
    for name in there:
        (tmp_path / name).touch()

    assert [file.name for file in component_files(tmp_path)] == read


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    """Pickles can run code."""
    (tmp_path / "model.bin").touch()

    with pytest.raises(UserError, match="no safetensors weights"):
        component_files(tmp_path)
