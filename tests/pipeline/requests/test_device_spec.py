"""A device is told what it serves, or the start ends with a sentence."""

import pytest

from pipeline.errors import UserError
from pipeline.requests.device_spec import DeviceSpec


@pytest.mark.parametrize(
    ("models", "max_rows", "sentence"),
    [
        ((), 16, "No model is named; set LIMNER_MODEL"),
        (("pocket",), 1, "rows are 1; use 2 to 64"),
        (("pocket",), 65, "rows are 65; use 2 to 64"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(models: tuple[str, ...], max_rows: int, sentence: str) -> None:
    """One guided image takes two rows."""
    with pytest.raises(UserError, match=sentence):
        DeviceSpec(models=models, max_rows=max_rows)
