"""What the first image makes its two processes import."""

from pathlib import Path

import pytest

from benchmarks.start import imports_in, run_command

NEEDLESS = {
    *("cv2", "transformers.models.depth_anything.modeling_depth_anything", "pipeline.control.learned_annotators"),
    *("compel", "torchao", "torch._inductor.compile_fx", "pipeline.training.trainer"),
    *("aiohttp", "discord", "slack_bolt", "alembic", "asyncpg"),
}
"""What only a control, weights in a prompt, an extra, a training, a download, a chat or a new database needs."""


@pytest.mark.slow
def test_the_first_image_imports_nothing_that_others_need(tmp_path: Path) -> None:
    """In a folder that is in use, by the command and its device together."""
    run_command(tmp_path)

    start, errors = run_command(tmp_path, PYTHONPROFILEIMPORTTIME="1")

    names = [each.name for each in imports_in(errors)]
    assert names.count("pipeline.requests.device_messages") == 2, "both processes were counted"
    assert {"bot.terminal.one_shot", "diffusers.models.unets.unet_2d_condition"} <= set(names)
    assert not NEEDLESS & set(names)
    assert start.own > 0
    assert start.device > start.own


def test_imports_are_read_and_sorted() -> None:
    """Whatever else stands on standard error."""
    errors = "import time: self [us] | cumulative | imported package\nimport time:      50 |   90 |   inner\n"
    errors += "2026-11-28 INFO loaded\nimport time:   1000 |   1090 | outer\nimport time:  |  |\n"

    found = imports_in(errors)

    assert [(each.name, each.own, each.cumulative) for each in found] == [
        ("outer", 0.001, 0.00109),
        ("inner", 5e-05, 9e-05),
    ]
