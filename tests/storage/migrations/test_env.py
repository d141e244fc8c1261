"""The migrations run by Alembic's own command."""

import subprocess
import sys
from pathlib import Path

import pytest

import storage

INI = Path(storage.__file__).with_name("alembic.ini")


@pytest.mark.slow
def test_alembic_works_from_the_command_line(empty_sqlite: Path) -> None:
    """Alembic's own command finds its files from any folder and has nothing to add."""
    alembic = [sys.executable, "-m", "alembic", "-c", str(INI), "-x", f"url=sqlite:///{empty_sqlite}", "check"]

    result = subprocess.run(alembic, cwd="/", capture_output=True, text=True, check=False)  # noqa: S603 # our own words

    assert (result.returncode, "No new upgrade operations" in result.stdout) == (0, True), result.stderr
