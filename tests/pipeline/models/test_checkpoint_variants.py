"""Published models beside diffusers' own pipelines: the table of docs/models.md."""

from pathlib import Path

import pytest

from tests.pipeline.models.variant_outcomes import outcome
from tests.pipeline.models.variants import Variant, variants

EVERY = variants()
SAMPLE = (
    "Playground 2.5",
    "LCM Dreamshaper v7, guidance distilled",
    "no word of force_zeros_for_empty_prompt",
    "SSD-1B in one file",
)


@pytest.mark.parametrize("variant", [own for own in EVERY if own.name in SAMPLE], ids=lambda own: own.name)
def test_a_sample_is_right_or_refused(variant: Variant, tmp_path: Path) -> None:
    """Own noise, own latents, guidance inside the UNet, an absent key, layers that fit no config."""
    found = outcome(variant, tmp_path)

    assert found.verdict == ("refused" if variant.words else "right"), found.said


@pytest.mark.soak  # two minutes
@pytest.mark.parametrize("variant", EVERY, ids=lambda own: f"{own.group}: {own.name}")
def test_every_published_model_is_right_or_refused(variant: Variant, tmp_path: Path) -> None:
    """With and without guidance, with a negative prompt and without, to 1e-5; pixels to a level."""
    found = outcome(variant, tmp_path)

    assert found.verdict == ("refused" if variant.words else "right"), found.said


def test_the_table_is_long_enough_to_tell() -> None:
    """And names nothing twice."""
    names = [(own.group, own.name) for own in EVERY]

    assert len(names) == len(set(names)) >= 100
