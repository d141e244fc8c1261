"""The steps of a window, as sd-webui-lora-block-weight counts them."""

import pytest

from pipeline.errors import InvalidRequest
from pipeline.requests.step_window import StepWindow


@pytest.mark.parametrize(
    ("start", "stop", "count", "active"),
    [
        (None, None, 4, [1, 2, 3, 4]),
        (3, None, 4, [3, 4]),
        (None, 3, 4, [1, 2]),
        (2, 4, 6, [2, 3]),
        (0.5, None, 10, [5, 6, 7, 8, 9, 10]),
        (None, 0.4, 20, [1, 2, 3, 4, 5, 6, 7]),
        (0.01, 0.3, 10, [1, 2]),
        (0, 0, 4, []),
        (1, 1, 4, []),
        (4, 2, 6, []),
        (9, None, 4, []),
        (None, 150, 4, [1, 2, 3, 4]),
    ],
)
def test_it_holds_the_steps_from_its_start_up_to_its_stop(
    start: float | None, stop: float | None, count: int, active: list[int]
) -> None:
    """From 1; a fraction is a part of the steps, as `stop=0.4` of 20 is `stop=8`."""
    assert [step + 1 for step in StepWindow(start=start, stop=stop).steps(count)] == active


@pytest.mark.parametrize("number", [-1, 1.5, float("nan"), float("inf"), -0.5])
def test_what_is_no_step_is_refused(number: float) -> None:
    with pytest.raises(InvalidRequest, match="cannot start or stop at step"):
        StepWindow(start=number)


def test_it_is_written_as_it_was_read() -> None:
    assert str(StepWindow(start=5, stop=0.75)) == "start=5:stop=0.75"
    assert str(StepWindow(stop=10)) == "stop=10"
