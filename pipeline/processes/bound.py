"""Runs a program that ends with its parent: `python -m pipeline.processes.bound PARENT NICE MODULE [ARGUMENT ...]`.

It yields to others from its first import on, which is often the longest that it computes. A parent that is killed can
end nobody: a child that waits for a message sees the end of the stream, but one that imports, computes or trains would
go on for seconds or hours, beside the child of the next process.
"""

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_SET_PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of Linux's prctl(2); macOS has nothing like it."""


def end_with(parent: int) -> None:
    """Let the kernel kill this process when the process `parent`, which began it, ends.

    Args:
        parent: its number; one that is no longer the parent has ended already.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _main() -> None:
    _, parent, nice, module, *arguments = sys.argv
    os.nice(int(nice))
    end_with(int(parent))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
