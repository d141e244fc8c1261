"""Textual inversions, alone in a file and bundled in a LoRA's."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from pipeline.lora.format.file import LoraFile
from pipeline.lora.importing.importer import ImportBase
from tests.pipeline.lora.importing.test_importer import halves, imported


def test_a_textual_inversion_is_reported_and_written(base: ImportBase, tmp_path: Path) -> None:
    """It changes no weight; one without a name of its own is called as the upload is."""
    report = imported({"clip_l": torch.ones(3, 32), "clip_g": torch.ones(3, 32)}, base, tmp_path)

    assert report.layout == "textual inversion"
    assert [(e.trigger, e.vectors, set(e.tensors)) for e in report.embeddings] == [
        ("lora", 3, {"text_encoder", "text_encoder_2"})
    ]
    file = LoraFile.open(tmp_path / "canonical.safetensors")
    assert (file.words, file.layers) == (("lora",), {})
    assert torch.equal(load_file(file.path)[file.word_tensors(0)["text_encoder_2"]], torch.ones(3, 32))


def test_bundled_textual_inversions_are_reported_beside_the_layers(base: ImportBase, tmp_path: Path) -> None:
    """With their triggers, which are the words to use where the metadata name none."""
    vectors = {f"bundle_emb.my.<(cat)>.clip_{which}": torch.ones(2, 32) for which in "lg"}

    report = imported(halves() | vectors, base, tmp_path, {"modelspec.trigger_phrase": "wax"})

    assert report.layers == 1
    assert [embedding.trigger for embedding in report.embeddings] == ["my. cat"]
    assert report.trigger_words == ("my. cat", "wax")
    assert LoraFile.open(tmp_path / "canonical.safetensors").words == ("my. cat",)


def test_the_vectors_after_an_encoder_are_left_out(base: ImportBase, tmp_path: Path) -> None:
    """OneTrainer writes them beside those that an encoder reads; the card says that they are not served."""
    names = [f"clip_{which}{side}" for which in "lg" for side in ("", "_out")]
    alone = imported({name: torch.ones(2, 32) for name in names}, base, tmp_path)
    inside = imported(halves() | {f"bundle_emb.cat.{name}": torch.ones(2, 32) for name in names}, base, tmp_path)

    assert [(e.trigger, len(e.tensors)) for e in (*alone.embeddings, *inside.embeddings)] == [("lora", 2), ("cat", 2)]
    assert all("output embeddings" in report.notes[0] for report in (alone, inside))
