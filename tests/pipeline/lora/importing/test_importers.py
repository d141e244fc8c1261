"""One importer waits for the next import, is used once, and leaves no process behind."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.families.family import ModelFamily
from pipeline.lora.importing.import_process import importing
from pipeline.lora.importing.importers import Importers

pytestmark = pytest.mark.slow

Children = Callable[[], set[psutil.Process]]


@pytest.fixture
def importers(tmp_path: Path) -> Importers:
    """Of a base that is not there, which costs a child no time before it is asked."""
    return Importers(lambda: importing(tmp_path, ModelFamily.SDXL))


@pytest.fixture
def children() -> Children:
    """The processes below this one that the test started: multiprocessing's tracker of another test lives on."""
    before = set(psutil.Process().children())
    return lambda: set(psutil.Process().children()) - before


async def _killed(importers: Importers) -> int:
    """The number of the child that waited, killed, once the event loop has heard of it."""
    child = importers._spare
    assert child is not None
    child.kill()
    await child.wait()
    return child.pid


async def test_the_child_that_waits_is_used_once_and_another_takes_its_place(
    importers: Importers, children: Children
) -> None:
    """Asked for twice it is still one; the used ones end with their blocks, the newest waits on."""
    await importers.keep_one()
    (waiting,) = children()
    await importers.keep_one()
    assert children() == {waiting}

    async with importers.one() as first:
        assert first.pid == waiting.pid
        (next_one,) = children() - {waiting}
        async with importers.one() as second:
            assert second.pid == next_one.pid
    (last,) = children()
    assert last not in {waiting, next_one}
    await importers.close()
    assert children() == set()


async def test_without_one_that_waits_an_import_starts_its_own_and_leaves_none(
    importers: Importers, children: Children
) -> None:
    """A program that ends soon keeps no child ready."""
    async with importers.one() as child:
        assert child.returncode is None
    assert children() == set()


async def test_a_child_that_died_while_it_waited_is_replaced(importers: Importers, children: Children) -> None:
    """By the duty, or by the import itself."""
    await importers.keep_one()
    async with asyncio.timeout(30):
        first = await _killed(importers)
        await importers.keep_one()
        second = await _killed(importers)

        async with importers.one() as child:
            assert child.returncode is None
            assert child.pid not in {first, second}
    assert children() == set()


async def test_closing_ends_the_child_that_waits(importers: Importers, children: Children) -> None:
    """And an import may come later all the same."""
    await importers.keep_one()
    await importers.close()
    assert children() == set()
    async with importers.one() as child:
        assert child.returncode is None
