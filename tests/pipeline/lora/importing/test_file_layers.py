"""A file's tensors, sorted by the layer that they change."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.header import FileLimits, read_header
from pipeline.lora.importing.parts import TensorRole


def sorted_file(folder: Path, *names: str) -> FileLayers:
    save_file({name: torch.ones(2, 3) for name in names}, folder / "x.safetensors")
    return FileLayers.of(read_header(folder / "x.safetensors", FileLimits()))


def test_parts_come_to_their_layer(tmp_path: Path) -> None:
    """A bundled textual inversion is none of a layer's, and not unknown."""
    layers = sorted_file(
        tmp_path, "a.lora_up.weight", "a.lora_down.weight", "b.diff", "odd", "bundle_emb.cat.string_to_param.*"
    )

    assert layers.layers == {
        "a": {TensorRole.UP: "a.lora_up.weight", TensorRole.DOWN: "a.lora_down.weight"},
        "b": {TensorRole.DIFFERENCE: "b.diff"},
    }
    assert layers.unknown == ("odd",)
    assert not layers.weights_only
    header = layers.header("b", TensorRole.DIFFERENCE)
    assert header is not None
    assert header.shape == (2, 3)
    assert layers.header("b", TensorRole.UP) is None


def test_two_spellings_of_one_part_are_two_adapters(tmp_path: Path) -> None:
    """Which are refused, since only one could be read."""
    with pytest.raises(UserError, match="several adapters"):
        sorted_file(tmp_path, "a.lora_A.first.weight", "a.lora_A.second.weight")


def test_nothing_but_weights_is_a_models_own(tmp_path: Path) -> None:
    """Not one of (IA)^3, which says what each gain is on."""
    assert sorted_file(tmp_path, "a.weight", "b.weight").weights_only
    assert not sorted_file(tmp_path, "a.weight", "a.on_input").weights_only


def test_what_changes_nothing_is_left_out_and_said(tmp_path: Path) -> None:
    """A layer that resizing left without a rank, and an alpha without its halves."""
    empty = {"b.lora_up.weight": torch.ones(3, 0), "b.lora_down.weight": torch.ones(0, 2), "b.alpha": torch.ones(())}
    halves = {"a.lora_up.weight": torch.ones(3, 1), "a.lora_down.weight": torch.ones(1, 2)}
    save_file(halves | empty | {"c.alpha": torch.ones(())}, tmp_path / "x.safetensors")

    layers = FileLayers.of(read_header(tmp_path / "x.safetensors", FileLimits()))

    assert list(layers.layers) == ["a"]
    assert layers.notes == ("Layers of the file without a rank, which change nothing: 2; they were left out.",)
    save_file(empty, tmp_path / "y.safetensors")
    with pytest.raises(UserError, match="changes nothing, none of its layers has a rank"):
        FileLayers.of(read_header(tmp_path / "y.safetensors", FileLimits()))


def test_output_embeddings_are_left_out_and_said(tmp_path: Path) -> None:
    names = [f"bundle_emb.cat.clip_{which}{side}" for which in "lg" for side in ("", "_out")]
    layers = sorted_file(tmp_path, "a.diff", *names)

    assert layers.unknown == ()
    assert "output embeddings" in layers.notes[0]
