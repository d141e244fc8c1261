"""The images of a job as a message shows them."""

import pytest

from handlers.jobs.result_images import file_stem


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [("../../etc/passwd", "etc-passwd"), ("日本", "picture"), ("A " * 60, "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a")],
)
def test_file_names_hold_nothing_but_letters_digits_and_dashes(prompt: str, stem: str) -> None:
    """A prompt is untrusted text."""
    assert file_stem(prompt) == stem
