"""Log lines outside a terminal are JSON, with what callers pass along."""

import json
import logging
from collections.abc import Iterator

import pytest

from bot.assembly.logs import configure_logging


@pytest.fixture(autouse=True)
def _restored_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_carries_its_extra_and_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, so that a collector need not guess."""
    configure_logging(logging.INFO)

    logging.getLogger("limner.worker").info("claimed", extra={"job_id": 7})
    logging.getLogger("limner.worker").debug("not this one")
    try:
        int("broken")
    except ValueError:
        logging.getLogger("limner.worker").exception("failed")

    claimed, failed = map(json.loads, capsys.readouterr().err.splitlines())
    assert (claimed["event"], claimed["level"], claimed["logger"]) == ("claimed", "info", "limner.worker")
    assert claimed["job_id"] == 7
    assert "ValueError: invalid literal" in failed["exception"]


@pytest.mark.parametrize("name", ["alembic", "apscheduler", "aiosqlite"])
def test_chatty_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Their progress would bury ours."""
    configure_logging(logging.INFO)

    logging.getLogger(name).info("still here")
    logging.getLogger(name).warning("look at this")

    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "look at this"
