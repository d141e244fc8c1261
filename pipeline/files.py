"""Files that are there whole or not at all, and that no other user of the machine reads."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """A file that takes the place of another when the block ends, once its bytes are safe on the disk.

    One process at a time may write it. What a killed one leaves is written over by the next.

    Args:
        path: of the file; nothing of it changes if the block raises.

    Yields:
        The path to write to, in the same folder.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def make_private(path: Path) -> bool:
    """Take from a file or folder what its group and others may do with it.

    Args:
        path: one that is not there, or that is a link, stays as it is.

    Returns:
        Whether anything was taken.

    Raises:
        OSError: it belongs to another user.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode) or not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return False
    path.chmod(mode & stat.S_IRWXU)
    return True
