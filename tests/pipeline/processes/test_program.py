"""A child process as it sees itself, and the pipes to its parent."""

import asyncio
import gc
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator

import pytest

from pipeline.processes import frames
from pipeline.processes.program import keeping_all


@pytest.fixture
def thawed() -> Iterator[None]:
    """Gives back to the collector what a test has frozen."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_garbage_is_looked_for_after_the_block_and_not_in_it() -> None:
    """And never again in what the block made."""
    with keeping_all():
        within = gc.isenabled()
        kept: list[list[int]] = [[] for _ in range(1000)]

    assert not within
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(kept)


@pytest.mark.usefixtures("thawed")
def test_an_import_that_fails_leaves_the_collector_on() -> None:
    """The process goes on to say what failed."""
    with pytest.raises(ModuleNotFoundError), keeping_all():
        raise ModuleNotFoundError("torch")

    assert gc.isenabled()


@pytest.mark.slow
async def test_a_program_ends_by_itself_while_a_thread_hears_its_parent() -> None:
    """Quietly and with status zero: no lock of the interpreter's own is missed at its end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.pipeline.processes.listening", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdin.write(frames.pack("hello"))
    await child.stdin.drain()

    said = await frames.receive(child.stdout)
    complaints = await child.stderr.read()
    status = await child.wait()
    child.stdin.close()

    assert (said, complaints, status) == ("hello", b"", 0)
