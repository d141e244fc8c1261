"""What is written of the families tells them apart."""

from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES


def test_what_tells_a_models_family_tells_one() -> None:
    """A folder is known by its pipeline's name, a file by the width of its text, a stored value by its description."""
    assert set(FAMILIES) == set(ModelFamily)
    assert len({family.pipeline for family in FAMILIES.values()}) == len(FAMILIES)
    assert len({family.cross_attention_width for family in FAMILIES.values()}) == len(FAMILIES)
