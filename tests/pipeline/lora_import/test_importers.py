"""One importer waits for the next import, is used once, and leaves no process behind."""

import asyncio
from pathlib import Path

import psutil
import pytest

from pipeline.lora_import.child import importing
from pipeline.lora_import.importers import Importers
from pipeline.model_facts import ModelFamily
from tests.eventually import eventually


@pytest.fixture
def importers(tmp_path: Path) -> Importers:
    """Of a base that is not there, which costs a child no time before it is asked."""
    return Importers(lambda: importing(tmp_path, tmp_path, ModelFamily.SDXL))


async def _killed() -> int:
    """The number of the one child, killed, once the event loop has heard of it."""
    (child,) = psutil.Process().children()
    child.kill()
    await eventually(lambda: _gone(child))
    return child.pid


async def _gone(child: psutil.Process) -> bool:
    return not child.is_running()


async def test_the_child_that_waits_is_used_once(importers: Importers) -> None:
    """Asked for twice it is still one; the next import has another, and both end with their blocks."""
    await importers.keep_one()
    (waiting,) = psutil.Process().children()
    await importers.keep_one()
    assert psutil.Process().children() == [waiting]

    async with importers.one() as first, importers.one() as second:
        assert first.pid == waiting.pid != second.pid
    assert psutil.Process().children() == []


async def test_a_child_that_died_while_it_waited_is_replaced(importers: Importers) -> None:
    """By the duty, or by the import itself."""
    await importers.keep_one()
    async with asyncio.timeout(30):
        first = await _killed()
        await importers.keep_one()
        second = await _killed()

        async with importers.one() as child:
            assert child.returncode is None
            assert child.pid not in {first, second}
    assert psutil.Process().children() == []


async def test_closing_ends_the_child_that_waits(importers: Importers) -> None:
    """And an import may come later all the same."""
    await importers.keep_one()
    await importers.close()
    assert psutil.Process().children() == []
    async with importers.one() as child:
        assert child.returncode is None
