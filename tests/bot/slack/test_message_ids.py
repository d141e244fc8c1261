"""A message's id survives in the text that a reply stores."""

from bot.slack.message_ids import MessageId


def test_an_id_comes_back_from_its_text() -> None:
    """Conversation and timestamp, both of which an edit needs."""
    message = MessageId(channel="C024BE91L", ts="1719912345.000100")

    assert MessageId.parse(message.text) == message
