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


@pytest.mark.parametrize(
    ("text", "start", "stop", "span"),
    [
        ("0.2-0.8", 0.2, 0.8, "0.2-0.8"),
        (" .25 - 1", 0.25, None, "0.25-1"),
        ("0-1", 0, None, "0-1"),
        ("5-20", 5, 20, "5-20"),
    ],
)
def test_a_span_is_parts_of_the_steps_or_steps(text: str, start: float, stop: float | None, span: str) -> None:
    """1 as an end is all of them; it is read as it is written."""
    window = StepWindow.parse(text, "guidance-window")

    assert window == StepWindow(start=start, stop=stop)
    assert window.span == span
    assert StepWindow.parse(span, "guidance-window") == window


@pytest.mark.parametrize("text", ["0.8-0.2", "0.5", "3-3", "0.2-5", "1.5-3", "-", "a-b", "0.5-0.5"])
def test_a_span_without_a_step_or_a_meaning_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is unclear; write parts of the steps such as"):
        StepWindow.parse(text, "guidance-window")
