"""From measured steps to batch limits and predictions."""

import pytest

from pipeline.requests.step_cost import StepCost, best_rows, predict_row_seconds


def costs(side: int, **by_rows: float) -> list[StepCost]:
    return [
        StepCost(model="m", width=side, height=side, rows=int(rows[1:]), seconds=seconds)
        for rows, seconds in by_rows.items()
    ]


@pytest.mark.parametrize(
    ("measured", "rows"),
    [
        (costs(64, r1=1.0, r2=1.2, r4=1.8, r8=3.0), 8),
        (costs(64, r1=1.0, r2=1.98, r4=3.96, r8=7.92), 1),
        (costs(64, r1=1.0, r2=1.4, r4=2.7, r8=9.0), 2),
        (costs(64, r8=9.0, r4=2.7, r2=1.4, r1=1.0), 2),
        ([], None),
    ],
)
def test_a_call_grows_as_long_as_a_row_gets_cheaper(measured: list[StepCost], rows: int | None) -> None:
    """By at least a twentieth: more rows make everybody's step longer."""
    assert best_rows(measured, 64 * 64) == rows


def test_the_nearest_size_speaks_for_others() -> None:
    """Nearest in area, either way; a prediction is scaled by area."""
    measured = costs(64, r1=1.0, r2=1.2) + costs(128, r1=4.0, r2=8.0)

    assert best_rows(measured, 72 * 72) == 2
    assert best_rows(measured, 160 * 160) == 1
    assert predict_row_seconds(measured, 32 * 32) == pytest.approx(0.6 / 4)
    assert predict_row_seconds(measured, 128 * 128) == pytest.approx(4.0)
    assert predict_row_seconds([], 64 * 64) is None
