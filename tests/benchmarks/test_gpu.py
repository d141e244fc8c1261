"""The GPU's script, tried on a CPU: a tiny model, and every part but those that compile."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = (
    *("model", "roofline", "trace", "documented", "hotswap", "steps", "eager", "joining", "activation"),
    *("looks", "rows", "layouts", "training", "diffusers-training", "profile"),
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_part_measures_something(tmp_path: Path) -> None:
    """A part that fails says so in its figures, as does one that takes too long; here none may."""
    command = [sys.executable, "-m", "benchmarks.gpu", *PARTS, "--tiny", "--device", "cpu", "--out", str(tmp_path)]

    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)  # noqa: S603 # our own

    figures = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    silent = [figure for figure in figures if not figure["values"] and figure["part"] != "machine"]
    assert silent == []
    assert {figure["part"] for figure in figures} == {"machine", *PARTS}
    assert (tmp_path / "table.md").read_text().count("\n") > len(PARTS)
