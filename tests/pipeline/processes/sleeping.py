"""A child that hears nothing for an hour, and its parent: `python -m tests.pipeline.processes.sleeping parent`."""

import asyncio
import sys
import time

from pipeline.processes.child import start


async def _begin() -> None:
    child = await start("tests.pipeline.processes.sleeping")
    assert child.stdout is not None
    await child.stdout.readline()
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    await asyncio.sleep(3600)


if __name__ == "__main__":
    if sys.argv[1:] == ["parent"]:
        asyncio.run(_begin())
    sys.stdout.write("asleep\n")
    sys.stdout.flush()
    time.sleep(3600)
