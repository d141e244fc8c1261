"""FreeU's factors as members write them."""

import pytest

from pipeline.errors import InvalidRequest
from pipeline.requests.freeu import FreeU

USUAL = FreeU(b1=1.3, b2=1.4, s1=0.9, s2=0.2)


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        (" On ", USUAL),
        ("b1=1.1, S2=.5", FreeU(b1=1.1, b2=1.4, s1=0.9, s2=0.5)),
        (str(USUAL), USUAL),
        ("b1:1.01 b2:1.02 s1:0.99 s2:0.95", FreeU(b1=1.01, b2=1.02, s1=0.99, s2=0.95)),
    ],
)
def test_what_is_not_named_is_as_usual(text: str, factors: FreeU) -> None:
    assert FreeU.parse(text, USUAL) == factors


@pytest.mark.parametrize("text", ["", "yes", "1.3 1.4", "b3=1", "b1=1.2 b1=1.3", "b1=x"])
def test_what_is_unclear_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"write on, or factors such as b1=1\.3 b2=1\.4 s1=0\.9 s2=0\.2"):
        FreeU.parse(text, USUAL)


def test_a_factor_has_limits() -> None:
    with pytest.raises(InvalidRequest, match=r"freeu s1 is 5; use 0\.05 to 3") as caught:
        FreeU.parse("s1=5", USUAL)
    assert caught.value.field == "freeu s1"
