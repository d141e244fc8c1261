"""A family's key outlives the program."""

from pipeline.families.family import ModelFamily


def test_a_familys_key_stays_what_databases_and_files_hold() -> None:
    """A renamed one could no longer be read from them."""
    assert [ModelFamily(stored) for stored in ("sdxl", "sd15")] == [ModelFamily.SDXL, ModelFamily.SD15]
