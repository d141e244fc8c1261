"""Damaged and hostile files of every format: a LoRA or one sentence, and never an error of ours."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from tests.pipeline.lora.importing.mutations import mutated


def refused(base: ImportBase, model: Path, folder: Path, count: int, every: int) -> list[str]:
    """The sentences for those of `count` mutated files that are refused."""
    sentences = []
    for content in mutated(model, folder, count, every):
        (folder / "file").write_bytes(content)
        try:
            import_lora(Upload(path=folder / "file", word="x"), base, folder / "canonical.safetensors")
        except UserError as error:
            sentences.append(str(error))
    return sentences


@pytest.mark.parametrize(
    ("count", "every"), [pytest.param(100, 12, id="some"), pytest.param(2000, 1, id="many", marks=pytest.mark.soak)]
)
def test_a_mutated_file_is_a_lora_or_a_sentence(
    base: ImportBase, model_folder: Callable[[str], Path], tmp_path: Path, count: int, every: int
) -> None:
    """Short, without a path; some are still LoRAs, most are not."""
    sentences = refused(base, model_folder("nano"), tmp_path, count, every)

    assert count / 3 < len(sentences) < count
    assert all(len(sentence) <= 200 and str(tmp_path) not in sentence for sentence in sentences)
