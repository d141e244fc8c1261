"""Canonical files as they are written."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.importing.canonical_writer import CanonicalWriter
from pipeline.lora.importing.change import Factors
from pipeline.lora.importing.importer import ImportBase
from tests.pipeline.lora.importing.test_importer import halves, imported


def test_halves_of_very_different_size_survive_half_precision(base: ImportBase, tmp_path: Path) -> None:
    """A down half of millions and an up half of millionths lose no more than others."""
    tensors = halves()
    down, up = tensors.values()
    scaled = dict(zip(tensors, (down * 1e7, up * 1e-7), strict=True))

    report = imported(scaled, base, tmp_path)

    assert report.rounding < 1e-3
    stored = load_file(tmp_path / "canonical.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in stored.values())


def test_the_version_says_what_a_reader_must_know(tmp_path: Path) -> None:
    """Words, or changes of norms and biases; every file is whole in its place."""
    pair = Factors(up=torch.ones(4, 2).double(), down=torch.ones(2, 4).double())
    versions = []
    for extra in ("none", "word", "vector"):
        writer = CanonicalWriter(ModelFamily.SD15)
        assert writer.empty
        assert writer.add("unet.x", pair) < 1e-6
        if extra == "word":
            writer.add_word("cat", {"text_encoder": torch.ones(1, 8)})
        if extra == "vector":
            writer.add_vector("unet.x.bias", torch.ones(4))
        writer.save(tmp_path / "x.safetensors")
        file = LoraFile.open(tmp_path / "x.safetensors")
        versions.append((len(file.layers), file.words, file.vectors))

    assert versions == [(1, (), {}), (1, ("cat",), {}), (1, (), {"unet.x.bias": 4})]
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
