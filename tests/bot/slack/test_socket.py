"""What the SDK logs of a connection that does not come about: each trouble once, until it stands."""

import logging

import pytest

from bot.slack.socket import _Once


def test_each_trouble_is_logged_once_without_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK tries every few seconds, with a traceback each; a connection that stood makes trouble new."""
    logger = logging.getLogger("a socket")
    once = _Once()
    logger.addFilter(once)
    caplog.set_level(logging.INFO)
    for _ in range(3):
        logger.error("Failed to connect (error: no network); Retrying...", exc_info=OSError("no network"))
    logger.info("A new session (s_1) has been established")
    logger.error("Failed to connect (error: no network); Retrying...")
    logger.removeFilter(once)

    assert [record.getMessage() for record in caplog.records] == [
        "Failed to connect (error: no network); Retrying...",
        "A new session (s_1) has been established",
        "Failed to connect (error: no network); Retrying...",
    ]
    assert not any(record.exc_info for record in caplog.records)
