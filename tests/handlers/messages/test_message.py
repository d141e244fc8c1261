"""What a message is made of."""

import pytest

from handlers.messages.message import Bar


@pytest.mark.parametrize(("done", "total", "fraction"), [(0, 4, 0.0), (1, 4, 0.25), (5, 4, 1.0), (0, 0, 0.0)])
def test_a_bar_is_never_fuller_than_full(done: int, total: int, fraction: float) -> None:
    """Nor does one without a total fail."""
    assert Bar(done=done, total=total).fraction == fraction
