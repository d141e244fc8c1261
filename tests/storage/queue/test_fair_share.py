"""The arithmetic of fair shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.queue.fair_share import HALF_LIFE_SECONDS, UNUSED, charged, used_seconds

NOW = 1.8e9
SECONDS = st.floats(0.01, 1e5)


@given(uses=st.lists(st.tuples(SECONDS, st.floats(0, 10 * HALF_LIFE_SECONDS)), min_size=1, max_size=20))
def test_score_keeps_the_sum_of_faded_uses(uses: list[tuple[float, float]]) -> None:
    """A score tells what is left of every use, each halved once a half-life, in whatever order they came."""
    score = UNUSED
    for seconds, ago in uses:
        score = charged(score, seconds, NOW - ago)

    left = sum(seconds * 2 ** (-ago / HALF_LIFE_SECONDS) for seconds, ago in uses)
    assert used_seconds(score, NOW) == pytest.approx(left, rel=1e-4)


@given(kept=SECONDS, given_back=SECONDS)
def test_giving_back_undoes_a_charge(kept: float, given_back: float) -> None:
    """What was charged and given back leaves the use from before, whenever that is done."""
    before = charged(UNUSED, kept, NOW)
    after = charged(charged(before, given_back, NOW), -given_back, NOW)

    left = used_seconds(after, NOW) if after != UNUSED else 0.0
    assert left == pytest.approx(kept, abs=1e-5 * (kept + given_back))


def test_giving_back_more_than_was_used_leaves_nothing() -> None:
    """A share never falls below one that used nothing."""
    assert charged(charged(UNUSED, 1.0, NOW), -2.0, NOW) == UNUSED
    assert charged(UNUSED, -2.0, NOW) == UNUSED
    assert used_seconds(UNUSED, NOW) == 0.0


def test_use_of_a_far_future_is_a_number() -> None:
    """A server's clock that was set back by months leaves a use that is more than any other, and no error."""
    assert charged(UNUSED, 10.0, NOW) < charged(UNUSED, 10.0, NOW + 1e8)
    assert used_seconds(charged(UNUSED, 10.0, NOW + 1e8), NOW) > 1e100


def test_scores_compare_without_being_touched() -> None:
    """Of two shares the one that used more stays ahead, however long both rest."""
    little, much = charged(UNUSED, 10.0, NOW), charged(UNUSED, 11.0, NOW)
    late_little = charged(UNUSED, 10.0, NOW + HALF_LIFE_SECONDS)

    assert little < much < late_little
