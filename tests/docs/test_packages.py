"""The drawing of the packages shows the imports that the code has."""

from docs.packages import DRAWING, arrows, package_imports, shown


def test_the_drawing_has_the_arrows_of_the_code() -> None:
    """Else draw it again: `python -m docs.packages`."""
    assert arrows(DRAWING.read_text()) == shown(package_imports())


def test_an_arrow_that_a_longer_way_implies_is_left_out() -> None:
    """From `a` to `c`, where `b` lies between."""
    assert shown({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {("a", "b"), ("b", "c")}
