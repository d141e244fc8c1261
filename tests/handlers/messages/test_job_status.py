"""What members read of a job."""

import pytest

from handlers.messages.job_status import seconds_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "a moment"),
        (1.49, "a moment"),
        (1.5, "about 2 s"),
        (9.4, "about 9 s"),
        (10.0, "about 10 s"),
        (10.6, "about 10 s"),
        (12.6, "about 15 s"),
        (89.9, "about 90 s"),
        (90.0, "about 2 min"),
        (149.0, "about 2 min"),
        (151.0, "about 3 min"),
        (90 * 60 - 1.0, "about 90 min"),
        (90 * 60.0, "about 2 h"),
        (5 * 3600.0, "about 5 h"),
    ],
)
def test_a_duration_is_said_as_a_person_would(seconds: float, words: str) -> None:
    """In seconds up to a minute and a half, in minutes up to an hour and a half; from ten seconds on in fives."""
    assert seconds_words(seconds) == words
