"""A file of this machine, by its path."""

from pathlib import Path

import pytest

from bot.terminal.attachments import is_path, offered
from pipeline.errors import UserError


async def test_a_file_is_offered_with_its_bytes(tmp_path: Path) -> None:
    """In pieces, whatever its size."""
    data = bytes(range(256)) * 5000
    (tmp_path / "fox.png").write_bytes(data)

    file = offered(str(tmp_path / "fox.png"))

    assert (file.name, file.size) == ("fox.png", len(data))
    assert b"".join([chunk async for chunk in file.chunks()]) == data


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere, and one that leads to a folder."""
    with pytest.raises(UserError, match="cannot be read: No such file"):
        offered(str(tmp_path / "missing.png"))
    with pytest.raises(UserError, match="is no file"):
        offered(str(tmp_path))


async def test_a_file_that_went_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    """Between the command and the reading."""
    path = tmp_path / "fox.png"
    path.touch()
    file = offered(str(path))
    path.unlink()

    with pytest.raises(UserError, match="cannot be read"):
        _ = [chunk async for chunk in file.chunks()]


def test_a_path_is_told_from_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its beginning, its end, or since the file is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "name").touch()

    paths = ("./x", "../x", "~/x", "/x", "x.safetensors", "my files/x.safetensors", "'x.safetensors'", "owner/name")
    links = ("owner/other", "https://civitai.com/models/1", "hf.co/o/n/x.safetensors", "12@34", "x\0")
    assert [text for text in paths + links if is_path(text)] == list(paths)
    assert is_path("file:///x%20y.safetensors")


async def test_quotes_and_a_file_address_mean_their_path(tmp_path: Path) -> None:
    (tmp_path / "my fox.png").touch()

    for text in (f"'{tmp_path / 'my fox.png'}'", (tmp_path / "my fox.png").as_uri()):
        assert offered(text).name == "my fox.png"
