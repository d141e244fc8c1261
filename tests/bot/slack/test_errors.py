"""What an error of Slack's means for a delivery."""

import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.error_codes import SlackRefusal
from bot.slack.errors import code_of, delivery_errors, not_shown_sentence, reason_of, refusal_of, sentence_of
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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("expired_trigger_id", "Slack took too long to open the form; type the command again"),
        ("invalid_trigger_id", "Slack took too long to open the form; type the command again"),
        ("missing_scope", "lacks a permission in this workspace; an admin can grant it"),
        ("ekm_access_denied", "does not let Limner do that; ask an admin"),
        ("not_in_channel", "type /invite @Limner"),
        ("ratelimited", "try again in a minute"),
        ("view_too_large", "on our side"),
        ("a_code_of_tomorrow", "on our side"),
    ],
)
def test_a_member_is_told_what_to_do(code: str, words: str) -> None:
    """A sentence for each meaning; Slack's own name of it is for the admins."""
    assert words in sentence_of(refused(code))
    assert code not in sentence_of(refused(code))
    assert reason_of(refused(code)) == f"Slack's {code}"


@pytest.mark.parametrize("code", ["missing_scope", "storage_limit_reached", "unable_to_share_files", "msg_too_long"])
def test_images_that_are_not_shown_are_said_to_be_kept(code: str) -> None:
    """Whatever kept them away."""
    assert "/history keeps" in not_shown_sentence(refused(code))
