"""Messages in Slack's form: untrusted words have no effect, limits are kept, commands have Slack's names."""

import pytest

from bot.slack.command_names import CommandNames
from bot.slack.rendering import Renderer, bar, plain
from handlers.messages.message import Bar, Button, Message, PointedKind, Pointers, ShownImage, Verb
from handlers.registry import COMMANDS

RENDERER = Renderer(names=CommandNames(prefix="img-"), commands=COMMANDS)
IMAGE = ShownImage(data=b"x", file_name="fox.png", alt_text="a fox")


def test_untrusted_words_neither_mention_nor_format() -> None:
    """Blocks are plain text; the text of the notification is escaped."""
    message = RENDERER.content(Message(headline="<!channel> *fox* & friends", job_id=1))

    assert message.text == "&lt;!channel&gt; *fox* &amp; friends"
    assert message.blocks == [
        {
            "type": "section",
            "text": {"type": "plain_text", "text": "<!channel> *fox* & friends", "emoji": False},
        }
    ]


def test_only_our_own_words_get_slacks_names_of_commands() -> None:
    """A job's headline is a member's prompt."""
    ours = RENDERER.content(Message(headline="See /queue", lines=("or /imagine",)))
    theirs = RENDERER.content(Message(headline="See /queue", job_id=1))

    assert ours.text == "See /limner queue\nor /img-imagine"
    assert theirs.text == "See /queue"


def test_images_and_the_note_come_in_their_places() -> None:
    """By the ids of their files; the note last."""
    delete = Button(verb=Verb.DELETE, target=1, label="Delete")
    message = RENDERER.content(Message(headline="fox", images=(IMAGE,), buttons=((delete,),)), ["F1"], note="kept")

    kinds = [block["type"] for block in message.blocks]
    assert kinds == ["section", "image", "actions", "context"]
    assert message.blocks[1]["slack_file"] == {"id": "F1"}
    assert message.blocks[2]["elements"][0]["confirm"]["confirm"]["text"] == "Delete"


def test_members_are_named_by_slack_itself() -> None:
    """By their ids, which Slack shows as names."""
    admins = Pointers(label="Admins <here>", kind=PointedKind.MEMBER, ids=("U1", "U2"))

    [_, block] = RENDERER.blocks(Message(headline="x", pointers=(admins,)))

    assert block["text"] == {"type": "mrkdwn", "text": "Admins &lt;here&gt;: <@U1>, <@U2>", "verbatim": True}


@pytest.mark.parametrize(("text", "shown"), [("fox", "fox"), ("f" * 11, "f" * 9 + "…"), ("", " ")])
def test_text_is_cut_to_its_limit_and_never_empty(text: str, shown: str) -> None:
    """Slack refuses both."""
    assert plain(text, 10)["text"] == shown


@pytest.mark.parametrize(("done", "drawn"), [(0, "░" * 12), (10, "▓" * 6 + "░" * 6), (20, "▓" * 12)])
def test_a_bar_is_full_at_the_end(done: int, drawn: str) -> None:
    """Always of one width."""
    assert bar(Bar(done=done, total=20)) == drawn
