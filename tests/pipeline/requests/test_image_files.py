"""Images that are passed on as files."""

import pickle
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.requests.image_files import ImageFiles


def test_another_process_reads_what_is_named_here(tmp_path: Path) -> None:
    """What travels is small; what is gone by then is a sentence without its path."""
    (tmp_path / "a").write_bytes(bytes(2**20))
    sent = pickle.dumps(ImageFiles({"key": tmp_path / "a", "gone": tmp_path / "b"}))

    received = pickle.loads(sent)  # noqa: S301 - our own

    assert len(sent) < 1000
    assert received["key"] == bytes(2**20)
    assert list(received) == ["key", "gone"]
    with pytest.raises(UserError, match="A picture that this is made from is gone; send it again") as gone:
        received["gone"]
    assert str(tmp_path) not in str(gone.value)
