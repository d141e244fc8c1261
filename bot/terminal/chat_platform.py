"""The terminal's side of delivery: images become files, exactly once each."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.terminal.rendering import Screen
from handlers.messages.chat_platform import TryLater
from handlers.messages.message import Attachment, Message, ShownImage
from pipeline.errors import UserError
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

_FULL_DISK_RETRY_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class TerminalPlatform:
    """Writes images into `folder` and messages to `screen`; each message also goes into `delivered`."""

    folder: Path
    screen: Screen
    delivered: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)

    @property
    def platform(self) -> Platform:
        """The terminal."""
        return Platform.TERMINAL

    @property
    def application_id(self) -> str:
        """A terminal has no other applications."""
        return ""

    @property
    def seconds_between_edits(self) -> float:
        """A terminal can be redrawn at any time."""
        return 0.1

    async def show_progress(self, address: ReplyAddress, message: Message) -> None:  # noqa: ARG002 - one screen
        """Redraw the job's status line."""
        self.screen.show_running(message)

    async def deliver(self, address: ReplyAddress, message: Message, nonce: str) -> str:  # noqa: ARG002 - one screen
        """Write the images, print the message; a file that is there already was posted before a crash."""
        try:
            paths = tuple([await asyncio.to_thread(self._write, image) for image in message.images])
        except OSError as error:
            raise TryLater(_FULL_DISK_RETRY_SECONDS, f"{self.folder} cannot be written: {error.strerror}") from error
        self.screen.show(message, paths)
        self.delivered.put_nowait(message)
        return nonce

    def keep(self, files: tuple[Attachment, ...]) -> tuple[Path, ...]:
        """Write files that are no images beside them; raises UserError."""
        try:
            return tuple(self._write(file) for file in files)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written: {error.strerror}.") from error

    def _write(self, image: ShownImage | Attachment) -> Path:
        """Write the file whole or not at all, and never over another: a killed process leaves no half of an image."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in _names(self.folder, Path(image.file_name).name):
            if not path.exists():
                break
            if path.read_bytes() == image.data:
                return path
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(image.data)
        part.replace(path)
        return path


def _names(folder: Path, name: str) -> Iterator[Path]:
    """`fox.png`, `fox~2.png`, `fox~3.png`, ...: the first that is free is taken."""
    path = folder / name
    yield path
    for number in itertools.count(2):
        yield path.with_stem(f"{path.stem}~{number}")
