"""Which Slack app we are: learnt once, and not unlearnt by a payload that does not say."""

import pytest

from bot.slack.application import Application


@pytest.mark.parametrize(("token", "known"), [("xapp-1-A111-22-33", "A111"), ("xapp-new-form", ""), ("", "")])
def test_the_token_of_socket_mode_names_the_app(token: str, known: str) -> None:
    """Where it has the form that Slack gives it today."""
    application = Application()

    application.learn_from_token(token)

    assert application.id == known


def test_what_is_learnt_stays() -> None:
    """Until another id is named."""
    application = Application()

    assert application.learn("A111") == "A111"
    assert application.learn("") == "A111"
    assert application.learn(None) == "A111"
