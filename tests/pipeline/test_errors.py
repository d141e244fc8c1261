"""The checks that name a limit."""

import math

import pytest

from pipeline.errors import InvalidRequest, check_range, check_text


@pytest.mark.parametrize("value", [-1, 11, 10**30, 10**400, -(10**400), math.inf, -math.inf, math.nan])
def test_a_number_of_any_size_is_out_of_range_in_a_sentence(value: float) -> None:
    """Integers may be too large for a float."""
    with pytest.raises(InvalidRequest, match=r"steps is .{1,20}; use 0 to 10\.") as refusal:
        check_range("steps", value, 0, 10)
    assert refusal.value.field == "steps"


@pytest.mark.parametrize("value", [0, 10, 2.5])
def test_a_number_within_its_range_passes(value: float) -> None:
    """The limits are included."""
    check_range("steps", value, 0, 10)


def test_what_is_no_text_is_named_and_not_repeated() -> None:
    with pytest.raises(InvalidRequest, match=r"The name holds a character that is no text \(U\+0007\)"):
        check_text("name", "a\a")
    check_text("name", "a\n\t🦊")
