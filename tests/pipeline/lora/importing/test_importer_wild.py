"""Files as they are found: right, or refused for the true reason; none is wrong without a word."""

from collections.abc import Callable
from pathlib import Path

from tests.pipeline.lora.importing.wild_outcomes import outcomes


def test_no_wild_file_is_wrong_and_none_is_refused_for_an_untrue_reason(
    model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """At least two hundred layouts, of which the half or so is read."""
    found = outcomes(model_folder("nano"), tmp_path)

    assert [(own.layout.name, own.said) for own in found if own.verdict not in {"right", "refused"}] == []
    assert len(found) >= 200
    assert len({own.layout.group + own.layout.name for own in found}) == len(found)
    assert sum(own.verdict == "right" for own in found) > 100
