"""The hash by which other programs know a model's file."""

import hashlib
from pathlib import Path

import pytest

from pipeline.models.file_hash import FileHashes

_DATA = b"weights" * 1000
_DIGEST = hashlib.sha256(_DATA).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(_DATA)
    return path


def test_it_is_the_first_ten_digits_of_the_files_sha_256(file: Path) -> None:
    """AutoV2, as Civitai calls it."""
    assert FileHashes().short(file) == _DIGEST[:10]
    assert FileHashes().whole(file) == _DIGEST


def test_a_file_is_read_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process, and between starts; another file of that name is another."""
    cache = tmp_path / "cache"
    assert FileHashes(cache).short(file) == _DIGEST[:10]
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", None)
        assert FileHashes(cache).short(file) == _DIGEST[:10]

    file.write_bytes(b"other")

    assert FileHashes(cache).short(file) == hashlib.sha256(b"other").hexdigest()[:10]


@pytest.mark.parametrize("damage", ["", "[1]", '{"sha256": "../x"}', '{"sha256": 3}'])
def test_a_damaged_memory_is_computed_again(file: Path, tmp_path: Path, damage: str) -> None:
    """Whatever is in it."""
    cache = tmp_path / "cache"
    FileHashes(cache).short(file)
    next(cache.iterdir()).write_text(damage)

    assert FileHashes(cache).short(file) == _DIGEST[:10]


def test_the_hugging_face_cache_knows_it_already(tmp_path: Path) -> None:
    """Its files are called by their hashes, and nothing of them is read."""
    blob, link = tmp_path / ("ab" * 32), tmp_path / "model.safetensors"
    blob.touch()
    link.symlink_to(blob)

    assert FileHashes().short(link) == "ab" * 5


def test_a_file_that_is_gone_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileHashes().short(tmp_path / "gone")
