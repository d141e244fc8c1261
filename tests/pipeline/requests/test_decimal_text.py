"""Numbers as members write them."""

import pytest

from pipeline.requests.decimal_text import decimal_text


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1"), (10.0, "10"), (0.8, "0.8"), (-0.00001, "-0.00001"), (1 / 3, "0.3333333333"), (-0.0, "0"), (1e-12, "0")],
)
def test_no_number_has_an_exponent(number: float, text: str) -> None:
    """Nor digits that say nothing."""
    assert decimal_text(number) == text
