"""A child process with one question: its answer, its deadline, its end."""

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.processes.child import ask, running

pytestmark = pytest.mark.slow


async def test_the_answer_is_what_the_child_writes() -> None:
    """To a question that it gets as JSON, paths as their text."""
    async with running("json.tool", "--compact") as child:
        answer = await ask(child, {"path": Path("a/b"), "count": 2}, 60)

    assert json.loads(answer) == {"path": "a/b", "count": 2}


async def test_a_child_that_takes_too_long_is_given_up_and_killed() -> None:
    """With a sentence; nothing of it stays."""
    async with running("json.tool") as child:
        with pytest.raises(UserError, match="longer than 0 seconds"):
            await ask(child, {}, 0)

    assert child.returncode is not None


async def test_a_child_that_cannot_start_its_module_answers_nothing() -> None:
    """The caller knows what that means."""
    async with running("no_such_module") as child:
        assert await ask(child, {}, 60) == b""


async def test_a_child_that_was_asked_nothing_ends_with_the_block() -> None:
    """Killed, since it still waits."""
    async with running("json.tool") as child:
        assert child.returncode is None

    assert child.returncode == -9
