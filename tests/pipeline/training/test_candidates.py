"""What a training leaves at its end: LoRAs that can be used, the best of them named, or a sentence."""

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.part_header import PartKind
from pipeline.training.config import Method, Preservation
from tests.pipeline.training.trainings import An, done


def test_the_report_names_sound_loras_and_the_best_of_them(an_order: An) -> None:
    order = an_order(method=Method.FULL, rank=4, learning_rate=1e-3)
    _, report = done(order)
    assert [one.step for one in report.candidates] == [2, 4, 6]
    for candidate in report.candidates:
        file = LoraFile.open(order.folder / candidate.file)
        assert {part.kind for parts in file.layers.values() for part in parts} == {PartKind.DIFFERENCE}
        assert {name.rpartition(".")[2] for name in file.vectors} == {"gain", "bias"}
    best = max(report.candidates, key=lambda one: one.scores.overall)
    assert report.candidates[report.chosen].scores.overall == best.scores.overall
    with Image.open(order.folder / report.sheet) as sheet:
        assert min(sheet.size) > 2 * 64


@pytest.mark.usefixtures("without_numbers")
def test_what_is_no_number_never_becomes_a_lora(an_order: An) -> None:
    order = an_order(steps=3, preservation=Preservation.NONE)
    with pytest.raises(UserError, match="nothing that can be used"):
        done(order)
    assert not list(order.folder.glob("*.safetensors"))
