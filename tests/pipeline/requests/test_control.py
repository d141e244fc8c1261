"""A control checks itself, and each kind says what it keeps."""

import pytest

from pipeline.errors import InvalidRequest
from pipeline.requests.control import ControlKind, ControlUse


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"detail": 2.5}, "control detail", "use -2 to 2"),
        ({"scale": -0.1}, "control scale", "use 0 to 2"),
        ({"start": -0.1}, "control start", "use 0 to 1"),
        ({"end": 1.1}, "control end", "use 0 to 1"),
        ({"start": 0.5, "end": 0.5}, "control", "ends at 0.5, before it starts at 0.5"),
    ],
)
def test_each_limit_has_its_sentence(changes: dict[str, float], field: str, sentence: str) -> None:
    """With the field's name and its limit."""
    with pytest.raises(InvalidRequest, match=sentence) as caught:
        ControlUse(kind=ControlKind.EDGE, image="i", **changes)  # type: ignore[arg-type]  # by name

    assert caught.value.field == field


def test_every_kind_says_what_it_keeps() -> None:
    """Each in words of its own; what is made of lines may have more or fewer of them."""
    assert len({kind.keeps for kind in ControlKind}) == len(ControlKind)
    assert all(kind.has_detail for kind in ControlKind if kind.is_lines)
    assert not ControlKind.POSE.has_detail
