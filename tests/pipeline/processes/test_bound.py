"""A child ends with its parent, whatever it is doing and however the parent ends."""

import asyncio
import os
import sys

import psutil
import pytest

from tests.eventually import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended"),
]


async def test_a_child_that_hears_nothing_ends_with_its_killed_parent() -> None:
    """One that is computing would go on for as long as that takes. While it lives it lets others come first."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.pipeline.processes.sleeping", "parent", stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    assert child.is_running()
    assert child.nice() > psutil.Process().nice()

    parent.kill()
    await parent.wait()

    async def gone() -> bool:
        return not child.is_running() or child.status() == psutil.STATUS_ZOMBIE

    await eventually(gone)


async def test_a_child_whose_parent_has_ended_does_not_begin() -> None:
    """It was begun a moment before."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.processes.bound", str(os.getppid()), "0", "tests.pipeline.processes.sleeping",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    said, _ = await child.communicate()

    assert (child.returncode, said) == (1, b"")
