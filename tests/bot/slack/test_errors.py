"""What an error of Slack's means for a delivery."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.errors import SlackRefusal, code_of, delivery_errors, refusal_of
from handlers.messages.chat_platform import TryLater, Undeliverable


def answered(data: Any, status: int = 200) -> SlackApiError:
    response = AsyncSlackResponse(
        client=AsyncWebClient(), http_verb="POST", api_url="", req_args={}, data=data, headers={}, status_code=status
    )
    return SlackApiError("refused", response)  # type: ignore[no-untyped-call]  # the SDK's


@pytest.mark.parametrize("code", ["is_archived", "is_inactive", "not_in_channel", "message_not_found"])
def test_a_place_that_is_closed_is_left_for_another(code: str) -> None:
    """An archived channel refuses a new message by one name and an edit by another."""
    assert refusal_of(answered({"ok": False, "error": code})) is SlackRefusal.CLOSED


def test_a_server_that_fails_with_a_page_is_asked_again() -> None:
    """Slack's own 503 is HTML."""
    error = answered("<html>Sorry</html>", status=503)

    assert code_of(error) == "unknown_error"
    with pytest.raises(TryLater), delivery_errors():
        raise error


def test_a_removed_app_gives_up() -> None:
    """Nobody is there to hear it."""
    with pytest.raises(Undeliverable), delivery_errors():
        raise answered({"ok": False, "error": "account_inactive"})
