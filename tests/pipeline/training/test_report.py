"""One number compares candidates, and no single good score can carry it."""

import pytest

from pipeline.training.report import Scores


def test_the_overall_score_is_as_weak_as_its_weakest_part() -> None:
    even, lopsided = Scores(subject=0.5, prompt=0.5, kept=0.5), Scores(subject=1.2, prompt=1.0, kept=0.05)
    assert even.overall == pytest.approx(0.5)
    assert lopsided.overall < even.overall
    assert Scores(subject=1.0, prompt=1.0, kept=0.0).overall == 0
