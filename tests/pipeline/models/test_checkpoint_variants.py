"""Published models beside diffusers' own pipelines: the table of docs/models.md."""

from pathlib import Path

import pytest

from tests.pipeline.models.variant_outcomes import outcome
from tests.pipeline.models.variants import Variant, variants

EVERY = variants()
SAMPLE = {
    ("one file", "Playground 2.5"),
    ("few steps", "LCM Dreamshaper v7, guidance distilled"),
    ("SDXL", "no word of force_zeros_for_empty_prompt"),
    ("files", "SSD-1B in one file"),
}
PAGE = Path(__file__).parents[3] / "docs" / "models.md"


@pytest.mark.parametrize("variant", [own for own in EVERY if (own.group, own.name) in SAMPLE], ids=lambda own: own.name)
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


def test_the_page_tells_of_every_model_and_of_none_that_is_wrong() -> None:
    """What it shows was measured of these rows."""
    page = PAGE.read_text()
    rows = [f"| {own.group}: {own.name} | {'refused' if own.words else 'right'} |" for own in EVERY]

    assert len(set(rows)) == len(rows) >= 100
    assert [row for row in rows if row not in page] == []
