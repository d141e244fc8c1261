"""A file that is written over is the old one or the new one, and never a part."""

from pathlib import Path

import pytest

from pipeline.files import write_atomically


def test_the_new_bytes_take_the_place_of_the_old_when_the_block_ends(tmp_path: Path) -> None:
    """Until then a reader gets the old ones."""
    path = tmp_path / "weights"
    path.write_text("old")

    with write_atomically(path) as file:
        file.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_leaves_what_was_there(tmp_path: Path) -> None:
    """And nothing else."""
    path = tmp_path / "weights"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError), write_atomically(path) as file:
        file.write_text("new \udfff")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    """Nothing collects in the folder."""
    path = tmp_path / "weights"
    with write_atomically(path) as file:
        file.write_text("old")
    file.write_text("half of an earlier attempt")

    with write_atomically(path) as file:
        file.write_text("whole")

    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]
