"""What fails again and again is said once for each error, and its end is said, too."""

import logging

import pytest

from pipeline.error_log import ErrorLog
from pipeline.errors import UserError

_log = logging.getLogger("a loop")


def test_an_error_is_said_once_until_things_go_well(caplog: pytest.LogCaptureFixture) -> None:
    """Two that alternate are said once each; a sentence needs no traceback, an error of ours has one."""
    errors = ErrorLog(_log)
    caplog.set_level(logging.INFO)
    for _ in range(3):
        errors.note(UserError("The disk is full."), "round %d failed", 1)
        errors.note(OSError("odd"), "round %d failed", 1)
    errors.goes_well("the loop")
    errors.goes_well("the loop")
    errors.note(UserError("The disk is full."), "round %d failed", 1)

    assert [(record.levelname, record.getMessage(), record.exc_info is not None) for record in caplog.records] == [
        ("ERROR", "round 1 failed: The disk is full.", False),
        ("ERROR", "round 1 failed", True),
        ("INFO", "the loop works again", False),
        ("ERROR", "round 1 failed: The disk is full.", False),
    ]


def test_what_was_said_of_many_errors_is_forgotten_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """An error whose words always differ does not fill the memory."""
    errors = ErrorLog(_log)
    for number in range(100):
        errors.note(OSError(str(number)), "it failed")
    caplog.clear()

    errors.note(OSError("0"), "it failed")
    errors.note(OSError("99"), "it failed")

    assert len(caplog.records) == 1
