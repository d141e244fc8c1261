"""Commands in Slack, as members type them."""

import pytest

from tests.wire.slack.looks import finished, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.socket_mode import ACK_SECONDS
from tests.wire.slack.stage import Stage
from tests.wire.slack.workspace import new_ts


async def test_a_command_becomes_an_image_in_its_own_status_message(ada: Someone) -> None:
    """One message: it shows the wait, then the images with their buttons."""
    acked = await ada.command("/imagine", "a red fox in the snow --ar 16:9 --seed 7 --n 2")
    assert acked.seconds < ACK_SECONDS

    message = await ada.sees(finished)

    assert len(ada.workspace.in_channel("CGEN")) == 1
    assert "a red fox in the snow" in message.text
    assert len(message.images) == 2
    assert {"Again", "Edit", "Info", "Save", "Delete"} <= message.buttons.keys()
    assert "seed 7" in message.words


async def test_a_status_message_shows_the_wait_before_it_shows_the_image(ada: Someone, stage: Stage) -> None:
    """Progress is drawn into the message that later holds the image."""
    stage.device.eager = False
    await ada.command("/imagine", "fox --steps 20")
    waiting = await ada.sees(lambda w: next(iter(w.in_channel("CGEN")), None))
    assert waiting.images == []
    assert "Cancel" in waiting.buttons

    (render,) = await ada.sees(lambda _: stage.device.submitted)
    stage.device.step(render, 14)
    await ada.sees(lambda _: "14 of 20 steps" in waiting.words)
    assert "▓" in waiting.words
    stage.device.finish(render)

    assert (await ada.sees(finished)).ts == waiting.ts


@pytest.mark.parametrize(
    "text",
    [
        "it’s a cat’s “dream” … —seed 7 –n 1",
        "it's a cat's \"dream\" ... --seed 7 --n 1",
    ],
)
async def test_what_clients_make_of_quotes_and_dashes_is_understood(ada: Someone, text: str) -> None:
    """Smart quotes, long dashes and ellipses; an apostrophe never breaks a prompt."""
    await ada.command("/imagine", text)

    message = await ada.sees(finished)

    assert "it's a cat's \"dream\" ..." in message.words
    assert "seed 7" in message.words


async def test_an_unknown_flag_gets_a_sentence_and_a_form_with_the_rest(ada: Someone) -> None:
    """Only the caller sees it; the form holds what was understood."""
    await ada.command("/imagine", "red fox --aspekt 16:9 --seed 7")

    refusal = await ada.sees(private_answer())
    assert "did you mean --aspect?" in refusal.words
    await ada.click(refusal, "Open form")

    view = await ada.sees(lambda w: next(iter(w.views.values()), None))
    fields = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
    assert fields["prompt"]["initial_value"] == "red fox"
    assert fields["seed"]["initial_value"] == "7"


async def test_a_markup_in_a_prompt_stays_text(ada: Someone) -> None:
    """Untrusted words mention nobody: blocks are plain text, the fallback is escaped."""
    await ada.command("/imagine", "&lt;!channel&gt; & <!here> fox")

    message = await ada.sees(finished)

    assert "<!" not in message.text
    assert message.blocks[0]["text"] == {"type": "plain_text", "text": "<!channel> & <!here> fox", "emoji": False}


async def test_the_umbrella_reaches_every_command(ada: Someone) -> None:
    """`/limner imagine …` paints, `/limner queue` tells, and help names commands as they are typed here."""
    await ada.command("/limner", "imagine a fox")
    await ada.sees(finished)
    await ada.command("/limner", "help")

    answer = await ada.sees(private_answer())
    assert "/limner queue" in answer.words
    assert "/imagine:" in answer.words


async def test_an_umbrella_without_words_is_help(ada: Someone) -> None:
    """A member who does not know what to type sends an empty command."""
    await ada.command("/limner")

    assert "What you can do here" in (await ada.sees(private_answer())).words


async def test_an_unknown_command_below_the_umbrella_names_the_nearest_or_what_lists_them(ada: Someone) -> None:
    """As it is typed here."""
    await ada.command("/limner", "imagin fox")
    assert "did you mean /imagine?" in (await ada.sees(private_answer())).words

    await ada.command("/limner", "zebra")
    await ada.sees(lambda w: [message for message in w.private("UADA") if "/limner help" in message.words])


async def test_what_is_asked_in_a_thread_is_answered_there(ada: Someone) -> None:
    """Slash commands cannot be typed in threads; a mention can."""
    root = new_ts()
    await ada.mention("a red fox --seed 7", thread_ts=root)

    message = await ada.sees(finished)
    assert message.thread_ts == root
    await ada.click(message, "Again")

    again = await ada.sees(lambda w: [m for m in w.in_channel("CGEN") if m.images and m.ts != message.ts])
    assert again[0].thread_ts == root


async def test_a_private_image_comes_in_a_direct_message(ada: Someone) -> None:
    """Slack cannot edit what only one sees in a channel, so privacy is a direct message."""
    await ada.command("/imagine", "a secret --private on")

    message = await ada.sees(lambda w: finished(w, "DUADA"))

    assert "a secret" in message.text
    assert ada.workspace.in_channel("CGEN") == []
