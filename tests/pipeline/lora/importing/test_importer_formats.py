"""The matrix: every format of LoRA file, imported for a tiny model and judged by LyCORIS's own forward."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.lora.importing.formats import FORMATS, Format
from tests.pipeline.lora.importing.measuring import measure

EXACT = 1e-6
# Half precision keeps eleven bits of each number, and a product of two halves of them.
ROUNDED = 1e-3


def test_the_matrix_is_as_large_as_promised() -> None:
    """At least 45 rows, no two alike."""
    assert len({wanted.name for wanted in FORMATS}) == len(FORMATS) >= 45


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda wanted: wanted.name)
def test_the_change_of_every_layer_is_that_of_the_forward(
    wanted: Format, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """In float64 under one in a million; the canonical file's own rounding is stated apart."""
    measured = measure(wanted, model_folder(wanted.model), tmp_path)

    assert measured.exact < EXACT
    assert measured.stored < ROUNDED + measured.report.worst_residual
    assert measured.report.layout == wanted.layout
    assert measured.report.layers >= len(wanted.layers)
    assert measured.vectors < EXACT
    assert not measured.report.needs_word
