"""What `limner doctor` says of a machine on which nothing was started yet."""

from pathlib import Path

import pytest

from bot import doctor
from bot.assembly.settings import Settings


@pytest.mark.parametrize("folder", ["", "of/a/new/machine"])
async def test_a_database_that_is_not_there_yet_is_made_by_migrate(folder: str, tmp_path: Path) -> None:
    """Whether or not its folder is there; no advice may ask a person to make that by hand."""
    finding = await doctor._database(Settings(data=tmp_path / folder))

    assert (finding.verdict, finding.advice) == (doctor.Verdict.MISSING, "run: limner migrate")
