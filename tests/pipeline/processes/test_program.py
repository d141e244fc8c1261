"""A child process as it sees itself."""

import gc
from collections.abc import Iterator

import pytest

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
