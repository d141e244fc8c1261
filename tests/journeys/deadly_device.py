"""The program of a device that ends as a prompt tells it: by a signal, with its server, or not at all.

As a module of its own it stands in for `pipeline.devices.program`; a server's device imports it by `sitecustomize`.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

from pipeline.devices.program import _main
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine_request import EngineJob

KILLS_DEVICE: Final = "kills its device"
KILLS_SERVER: Final = "kills its server"
HANGS: Final = "hangs for ever"

SITE: Final = """
import sys
if "pipeline.devices.program" in sys.orig_argv:
    sys.path.insert(0, {root!r})
    import tests.journeys.deadly_device
"""


def _kill_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


_ENDS: Final[dict[str, Callable[[], object]]] = {
    KILLS_DEVICE: lambda: os.kill(os.getpid(), signal.SIGSEGV),
    KILLS_SERVER: _kill_server,
    HANGS: lambda: threading.Event().wait(),
}
_start = EngineJob.start


def _deadly_start(job: EngineJob) -> DenoisingState:
    if end := _ENDS.get(job.request.prompt):
        end()
    return _start(job)


EngineJob.start = _deadly_start  # type: ignore[method-assign, assignment]  # what this module is for

if __name__ == "__main__":
    _main()
