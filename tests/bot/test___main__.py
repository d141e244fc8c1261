"""The command line: a UserError is one sentence on standard error and exit code 1."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from tests.fakes import png, request


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_info_prints_what_an_image_was_made_from(tmp_path: Path) -> None:
    """The parameters in words, then all as JSON."""
    (tmp_path / "fox.png").write_bytes(png(request("red fox", seed=7)))

    result = CliRunner().invoke(app, ["info", "fox.png"])

    assert result.exit_code == 0
    assert result.output.startswith("red fox")
    assert '"seed": 7' in result.output


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    """Without a traceback."""
    result = CliRunner().invoke(app, ["info", "missing.png"])

    assert (result.exit_code, result.stderr) == (1, "missing.png cannot be read: No such file or directory.\n")
