"""The terminal's side of delivery: images become files, each once, none written over another."""

from pathlib import Path

import pytest
from rich.console import Console

from bot.terminal.chat_platform import TerminalPlatform
from bot.terminal.rendering import Screen
from handlers.messages.chat_platform import TryLater
from handlers.messages.message import Attachment, Message, ShownImage
from pipeline.errors import UserError
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

ADDRESS = ReplyAddress(platform=Platform.TERMINAL, channel_id="here", user_id="ada")


def _platform(folder: Path) -> TerminalPlatform:
    return TerminalPlatform(folder=folder, screen=Screen(console=Console(quiet=True)))


def _message(*datas: bytes, file_name: str = "fox.bin") -> Message:
    images = tuple(ShownImage(data=data, file_name=file_name, alt_text="a fox") for data in datas)
    return Message(headline="fox", images=images)


async def test_a_delivery_that_is_repeated_writes_nothing_twice(tmp_path: Path) -> None:
    """After a crash between writing and marking, the file is there already."""
    for _ in range(2):
        await _platform(tmp_path / "images").deliver(ADDRESS, _message(b"fox"), "nonce")

    assert [path.name for path in (tmp_path / "images").iterdir()] == ["fox.bin"]


async def test_another_image_of_one_name_gets_a_number(tmp_path: Path) -> None:
    """Nothing is written over, and no half of a file is left."""
    platform = _platform(tmp_path)
    await platform.deliver(ADDRESS, _message(b"one", b"two"), "nonce")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"fox.bin": b"one", "fox~2.bin": b"two"}
    assert platform.delivered.get_nowait().headline == "fox"


async def test_a_file_name_leads_nowhere_else(tmp_path: Path) -> None:
    """Whatever folders it names."""
    await _platform(tmp_path / "images").deliver(ADDRESS, _message(b"fox", file_name="../../fox.bin"), "nonce")

    assert (tmp_path / "images" / "fox.bin").read_bytes() == b"fox"


async def test_a_folder_that_cannot_be_written_is_tried_later(tmp_path: Path) -> None:
    """The reply stays owed; files of an answer are a sentence."""
    (tmp_path / "images").write_text("a file")
    platform = _platform(tmp_path / "images")

    with pytest.raises(TryLater, match="cannot be written"):
        await platform.deliver(ADDRESS, _message(b"fox"), "nonce")
    with pytest.raises(UserError, match="cannot be written"):
        platform.keep((Attachment(data=b"{}", file_name="data.json"),))
