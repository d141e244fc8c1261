"""How an answer reaches the requester where the first way is closed."""

import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.answers import BUTTON_VALUE, Answers, open_form_button
from bot.slack.rendering import SlackMessage
from handlers.messages.message import Message
from tests.bot.slack.conftest import FakeClient, interaction

HELLO = SlackMessage(text="hello", blocks=[])


async def test_without_a_response_url_the_member_alone_sees_it_in_the_channel(
    client: FakeClient, answers: Answers
) -> None:
    """In the thread, where there is one."""
    await answers.say(interaction(thread_id="1.2"), HELLO, private=True)

    [(method, body)] = client.calls
    assert method == "chat.postEphemeral"
    assert (body["channel"], body["user"], body["thread_ts"], body["text"]) == ("C1", "U1", "1.2", "hello")


async def test_a_closed_channel_sends_it_to_the_member(client: FakeClient, answers: Answers) -> None:
    """As a direct message."""
    client.refusals["chat.postEphemeral"] = ["not_in_channel"]
    client.answers["conversations.open"] = {"channel": {"id": "D1"}}

    await answers.say(interaction(), HELLO, private=True)

    assert [body["channel"] for body in client.made("chat.postMessage")] == ["D1"]


async def test_a_jobs_status_is_left_to_delivery(client: FakeClient, answers: Answers) -> None:
    """Else it would stand there twice."""
    await answers.give(interaction(), Message(headline="red fox", job_id=1))

    assert client.calls == []


@pytest.mark.parametrize("code", ["expired_trigger_id", "invalid_trigger_id"])
async def test_a_form_that_comes_too_late_is_an_error(client: FakeClient, answers: Answers, code: str) -> None:
    """Slack keeps a trigger for three seconds; what is said of it stands with the other errors."""
    client.refusals["views.open"] = [code]

    with pytest.raises(SlackApiError, match=code):
        await answers.open_view(interaction(trigger_id="t"), {"type": "modal"})


async def test_a_form_that_an_earlier_try_opened_is_open(client: FakeClient, answers: Answers) -> None:
    """Slack carried the first request out and failed to say so: the second finds the trigger used."""
    client.refusals["views.open"] = ["exchanged_trigger_id"]

    await answers.open_view(interaction(trigger_id="t"), {"type": "modal"})

    assert client.made("chat.postEphemeral") == []


def test_the_button_of_a_form_keeps_what_was_typed() -> None:
    """To the last character, and never nothing, which Slack refuses."""
    assert open_form_button("imagine")["value"] == " "
    assert open_form_button("imagine", "x" * BUTTON_VALUE)["value"] == "x" * BUTTON_VALUE
