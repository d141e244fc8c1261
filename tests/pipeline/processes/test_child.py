"""A child process with one order: its answer, its limits, its end."""

import json
import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.processes.child import ask, running

pytestmark = pytest.mark.slow

PROGRAM = "tests.pipeline.processes.answering"
BROKEN = "It broke; try again."


async def test_the_answer_is_what_the_program_returns() -> None:
    """To an order that it gets as JSON, paths as their text."""
    async with running(PROGRAM) as child:
        answer = await ask(child, {"echo": {"path": Path("a/b"), "count": 2}}, seconds=60, broken=BROKEN)

    assert answer == {"path": "a/b", "count": 2}


async def test_what_the_program_refuses_is_the_sentence() -> None:
    """As it says it."""
    async with running(PROGRAM) as child:
        with pytest.raises(UserError, match=r"^No fox here\.$"):
            await ask(child, {"refuse": "No fox here."}, seconds=60, broken=BROKEN)


@pytest.mark.parametrize(
    "order",
    [
        {"die": 9},
        {"print": "no JSON"},
        {"print": "[", "times": 100_000},
        {"print": " " * 2**20, "times": 2**20},
    ],
    ids=["dead", "no JSON", "JSON too deep", "a terabyte"],
)
async def test_a_child_that_dies_or_says_what_is_no_answer_is_broken(order: dict[str, object]) -> None:
    """The caller's own sentence says so; an answer without end is not waited for, nor kept in memory."""
    async with running(PROGRAM, quiet=True) as child:
        with pytest.raises(UserError, match=BROKEN):
            await ask(child, order, seconds=60, broken=BROKEN)


async def test_a_child_that_cannot_start_its_module_is_broken() -> None:
    """As one that dies."""
    async with running("no_such_module", quiet=True) as child:
        with pytest.raises(UserError, match=BROKEN):
            await ask(child, {}, seconds=60, broken=BROKEN)


async def test_a_child_that_takes_too_long_is_given_up_and_killed() -> None:
    """With a sentence; nothing of it stays."""
    async with running(PROGRAM) as child:
        with pytest.raises(UserError, match="longer than 0 seconds"):
            await ask(child, {}, seconds=0, broken=BROKEN)

    assert child.returncode is not None


async def test_memory_counts_from_when_the_order_comes() -> None:
    """What the child needs to get ready is beyond the limit; what the order needs is not."""
    ready, order = 300 * 2**20, 200 * 2**20
    async with running(PROGRAM) as child:
        answer = await ask(child, {"ready": ready, "allocate": order}, seconds=60, broken=BROKEN, memory=100 * 2**20)

    assert answer == {"ready": True, "allocated": False}


async def test_an_order_that_needs_more_memory_is_refused_in_a_sentence() -> None:
    """And not as if the child were broken."""
    async with running(PROGRAM) as child:
        with pytest.raises(UserError, match=r"^This needs more memory than there is here"):
            await ask(child, {"overfill": 200 * 2**20}, seconds=60, broken=BROKEN, memory=100 * 2**20)


async def test_a_child_that_was_asked_nothing_ends_with_the_block() -> None:
    """Killed, since it still waits."""
    async with running(PROGRAM) as child:
        assert child.returncode is None

    assert child.returncode == -9


async def test_a_child_imports_nothing_from_the_parent_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data folder may hold files that are called like modules."""
    (tmp_path / "json.py").write_text("raise SystemExit('this is no module of ours')")
    monkeypatch.chdir(tmp_path)

    async with running(PROGRAM) as child:
        assert await ask(child, {"echo": {}}, seconds=60, broken=BROKEN) == {}


async def test_threads_of_a_child_sleep_while_they_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the operator chose otherwise."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    heard = []
    for policy in (None, "ACTIVE"):
        if policy is not None:
            monkeypatch.setitem(os.environ, "OMP_WAIT_POLICY", policy)
        async with running(PROGRAM) as child:
            heard.append(await ask(child, {"variable": "OMP_WAIT_POLICY"}, seconds=60, broken=BROKEN))

    assert json.dumps(heard) == '[{"value": "PASSIVE"}, {"value": "ACTIVE"}]'
