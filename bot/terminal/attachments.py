"""A file on this machine, named by its path."""

import asyncio
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from handlers.commands.attachments import OfferedFile
from pipeline.errors import UserError

_CHUNK: Final = 2**20


def offered(text: str) -> OfferedFile:
    """The file at the path `text`; raises UserError where there is none."""
    path = Path(_plain(text))
    try:
        path = path.expanduser()
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    except (RuntimeError, ValueError):
        # A home folder of nobody, or signs that no path can have.
        raise UserError(f"There is no file {text:.60}; give the path of one.") from None
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path} is no file; give the path of one.")

    async def chunks() -> AsyncGenerator[bytes, None]:
        try:
            with await asyncio.to_thread(path.open, "rb") as file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK):
                    yield chunk
        except OSError as error:
            raise _unreadable(path, error) from error

    return OfferedFile(name=path.name, size=found.st_size, chunks=chunks)


def is_path(text: str) -> bool:
    """Whether `text` means a file on this machine, no link: by how it begins or ends, or since it is there."""
    plain = _plain(text)
    if plain.startswith(("./", "../", "/", "~")):
        return True
    if "://" in plain:
        return False
    try:
        there = Path(plain).is_file()
    except (OSError, ValueError):
        there = False
    first, slash, _ = plain.partition("/")
    is_host = bool(slash) and "." in first
    return there or (plain.lower().endswith(".safetensors") and not is_host)


def _plain(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return unquote(urlsplit(text).path) if text.startswith("file://") else text


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read: {error.strerror}.")
