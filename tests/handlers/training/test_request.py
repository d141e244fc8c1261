"""An order to train."""

from dataclasses import replace

from handlers.training.request import TRAINING, ConceptKind, TrainFile, TrainOrder

REX = TrainOrder(
    key="k", name="rex", concept=ConceptKind.SUBJECT, class_word="dog", model="pocket",
    files=(TrainFile(blob="b", name="rex.zip"),), left_out=(2, 5), retrain=True,
)  # fmt: skip


def test_a_subject_is_named_with_what_it_is() -> None:
    assert REX.title == "rex, a dog"
    assert replace(REX, name="crayon", concept=ConceptKind.STYLE, class_word="").title == "crayon, a style"


def test_an_order_comes_back_whole() -> None:
    assert TRAINING.read(TRAINING.write(REX)) == REX
