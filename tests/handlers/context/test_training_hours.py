"""The hours in which trainings run."""

from datetime import UTC, datetime

import pytest

from handlers.context.training_hours import TrainingHours


@pytest.mark.parametrize(
    ("text", "open_at"),
    [("22-6", {22, 23, 0, 1, 2, 3, 4, 5}), ("9-11", {9, 10}), ("0-24", set(range(24))), ("22-24", {22, 23})],
)
def test_hours_of_the_day(text: str, open_at: set[int]) -> None:
    def are_open(hour: int) -> bool:
        return TrainingHours.parse(text, lambda: datetime(2026, 3, 1, hour, tzinfo=UTC)).are_now

    assert {hour for hour in range(24) if are_open(hour)} == open_at
