"""What an error of Slack's means for a delivery."""

import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.errors import SlackRefusal, code_of, delivery_errors, refusal_of
from handlers.messages.chat_platform import TryLater, Undeliverable
from tests.bot.slack.conftest import answered, refused


@pytest.mark.parametrize("code", ["is_archived", "is_inactive", "not_in_channel", "message_not_found"])
def test_a_place_that_is_closed_is_left_for_another(code: str) -> None:
    """An archived channel refuses a new message by one name and an edit by another."""
    assert refusal_of(refused(code)) is SlackRefusal.CLOSED


def test_a_server_that_fails_with_a_page_is_asked_again() -> None:
    """Slack's own 503 is HTML."""
    error = SlackApiError("failed", answered("<html>Sorry</html>", status=503))  # type: ignore[no-untyped-call]  # the SDK's

    assert code_of(error) == "unknown_error"
    with pytest.raises(TryLater), delivery_errors():
        raise error


def test_a_removed_app_gives_up() -> None:
    """Nobody is there to hear it."""
    with pytest.raises(Undeliverable), delivery_errors():
        raise refused("account_inactive")
