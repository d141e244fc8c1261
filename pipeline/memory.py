"""Memory: how much of it there is for this process, and errors that say that there was none left."""

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipeline.errors import UserError

_SIGNS: Final = (
    "out of memory",
    "not enough memory",
    "allocate memory",  # torch on a CPU, and Linux for ENOMEM
    "bad_alloc",
    "bad allocation",
    "alloc_failed",  # cuBLAS and cuDNN
    "cudaerrormemoryallocation",
    "paging file is too small",
)
_ENDS: Final = ("could not create a primitive", "could not execute a primitive", "could not create a memory object")
"""Of oneDNN, which does not say why; what it cannot do at all fails earlier, at a "primitive descriptor"."""

_NO_MEMORY: Final = frozenset({errno.ENOMEM, 1455})
"""Of Linux, and of Windows where it cannot map a file."""

_RECLAIMED: Final = ("inactive_file", "active_file")
"""Pages of files that the kernel keeps as long as nobody needs their memory."""


class OutOfMemory(UserError):
    """There was not memory enough for what the sentence names."""

    passes = True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation failed, of the host's memory or a device's.

    Args:
        error: what was raised; most libraries have no class for it, so its text tells.

    Returns:
        Whether less work at once may succeed.
    """
    if isinstance(error, UserError):
        return isinstance(error, OutOfMemory)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NO_MEMORY):
        return True
    text = f"{type(error).__name__} {error}".lower().rstrip()
    signs = any(sign in text for sign in _SIGNS) or text.endswith(_ENDS)
    return type(error).__name__ == "OutOfMemoryError" or signs


@contextmanager
def memory_in_words(what: str, advice: str = "close other programs, or try again later") -> Iterator[None]:
    """Say in one sentence that there was not memory enough for what this block loads.

    Args:
        what: it loads, as people call it.
        advice: what to do.

    Yields:
        Nothing.

    Raises:
        OutOfMemory: an allocation failed; every other error stays as it is. Of two blocks the outer one is heard.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        # Its frames hold what was loaded so far, which is just what there is no room for.
        traceback.clear_frames(error.__traceback__)
        raise OutOfMemory(f"There is not enough memory to load {what}; {advice}.") from error


def available_memory(root: Path = Path("/")) -> int:
    """Memory that this process could have without swapping.

    Args:
        root: of the file system that describes the machine.

    Returns:
        Bytes: what Linux could give, or what a container's limit leaves where that is less; elsewhere all that the
        machine has.
    """
    info = root / "proc/meminfo"
    if not info.exists():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    return min(int(fields["MemAvailable"].split()[0]) * 1024, *_left_by_groups(root))


def _left_by_groups(root: Path) -> list[int]:
    """What each control group around this process leaves it; a group counts with all that are around it."""
    mounts = root / "sys/fs/cgroup"
    left = []
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                for mount in (mounts, mounts / "unified"):
                    left += [_left(folder, ("memory.max", "memory.high"), "memory.current", "") for folder in
                             _around(mount, group)]  # fmt: skip
            elif "memory" in controllers.split(","):
                left += [_left(folder, ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_") for folder in
                         _around(mounts / "memory", group)]  # fmt: skip
    return [bytes_left for bytes_left in left if bytes_left is not None] or [2**63]


def _around(mount: Path, group: str) -> list[Path]:
    """The folders of a group and of all around it; where the container sees its own as the root, that alone."""
    parts = [part for part in group.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _left(folder: Path, limits: tuple[str, ...], usage: str, prefix: str) -> int | None:
    """What a group leaves, with what the kernel would give back; None for one without a limit."""
    known = [limit for name in limits if (limit := _number(folder / name)) is not None]
    used = _number(folder / usage)
    if not known or used is None:
        return None
    reclaimed = 0
    with suppress(OSError, ValueError):
        stat = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text().splitlines())
        reclaimed = sum(int(stat.get(prefix + name, 0)) for name in _RECLAIMED)
    return max(0, min(known) - max(0, used - reclaimed))


def _number(path: Path) -> int | None:
    """The number in a file; None for `max`, or where there is no such file."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
