"""What an option says of its values."""

import pytest

from handlers.commands.option import Option


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (None, None, "any number"),
        (1, None, "1 or more"),
        (None, 0.5, "0.5 or less"),
        (0, 4294967295, "0 to 4294967295"),
    ],
)
def test_the_range_is_said_with_all_its_digits(low: float | None, high: float | None, words: str) -> None:
    assert Option(name="seed", help="h", low=low, high=high).range_text == words


def test_a_short_flag_is_one_of_two() -> None:
    assert Option(name="count", help="h", flag="n").flags == ("count", "n")
    assert Option(name="seed", help="h").flags == ("seed",)
