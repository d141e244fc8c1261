"""A file on this machine, named by its path."""

import asyncio
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from handlers.commands.attachments import OfferedFile
from pipeline.errors import UserError

_CHUNK: Final = 2**20


def offered(text: str) -> OfferedFile:
    """The file at the path `text`; raises UserError where there is none."""
    path = Path(text)
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


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read: {error.strerror}.")
