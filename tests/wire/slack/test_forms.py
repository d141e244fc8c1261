"""Forms in Slack: opened by nothing at all, by a button, by a shortcut; their errors beside their fields."""

from typing import Any

from tests.wire.slack.looks import finished, opened, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage


async def test_an_empty_command_opens_the_whole_form(ada: Someone) -> None:
    """Every option is there, the advanced ones below their heading; what is filled in becomes an image."""
    await ada.command("/imagine")
    view = await ada.sees(opened)

    labels = [block["label"]["text"] for block in view["blocks"] if block["type"] == "input"]
    assert {"Prompt", "Negative", "Aspect", "Count", "Seed", "Steps", "Model"} <= set(labels)
    assert any(block.get("text", {}).get("text") == "Advanced" for block in view["blocks"])
    acked = await ada.submit(view, prompt="a lighthouse", count="2", aspect="16:9")

    assert acked.payload == {}
    message = await ada.sees(finished)
    assert "a lighthouse" in message.words
    assert len(message.images) == 2


async def test_an_error_stands_beside_its_field(ada: Someone, stage: Stage) -> None:
    """The form stays open, and nothing is queued."""
    await ada.command("/imagine")
    view = await ada.sees(opened)

    acked = await ada.submit(view, prompt="fox", width="500000")

    assert acked.payload["response_action"] == "errors"
    assert list(acked.payload["errors"]) == ["width"]
    assert "use" in acked.payload["errors"]["width"]
    assert stage.device.submitted == []


async def test_a_lora_that_is_not_here_is_named_beside_its_field(ada: Someone, stage: Stage) -> None:
    """Its name may be mistyped; the rest of the form stays as it is."""
    await ada.command("/imagine")
    view = await ada.sees(opened)

    acked = await ada.submit(view, prompt="fox", lora="krayon:0.8")

    assert list(acked.payload["errors"]) == ["lora"]
    assert "krayon" in acked.payload["errors"]["lora"]
    assert stage.device.submitted == []


async def test_an_error_of_no_single_field_stands_beside_the_first(ada: Someone) -> None:
    """The guild's own limit on the size is about width and height together."""
    await ada.command("/imagine")
    view = await ada.sees(opened)

    acked = await ada.submit(view, prompt="fox", width="2048", height="2048")

    assert list(acked.payload["errors"]) in (["prompt"], ["width"])


async def test_a_select_offers_what_the_workspace_has(ada: Someone) -> None:
    """The options come from the same suggestions as everywhere."""
    await ada.command("/imagine")
    view = await ada.sees(opened)

    acked = await ada.suggest(view, "model", "option:imagine:model", "po")

    assert [option["value"] for option in acked.payload["options"]] == ["pocket"]
    nothing = await ada.suggest(view, "model", "option:imagine:model", "zebra")
    assert nothing.payload == {"options": []}


async def test_edit_opens_the_form_as_the_image_was_made(ada: Someone) -> None:
    """What is changed makes a new image; the old one stays."""
    await ada.command("/imagine", "red fox --seed 7")
    message = await ada.sees(finished)
    await ada.click(message, "Edit")
    view = await ada.sees(opened)

    await ada.submit(view, prompt="blue fox")

    new = await ada.sees(lambda w: next((m for m in w.in_channel("CGEN") if m.images and m is not message), None))
    assert "blue fox" in new.words
    assert "seed 7" in new.words


async def test_a_form_of_somebody_else_is_refused(ada: Someone, bob: Someone) -> None:
    """A form that one member was offered cannot be sent by another."""
    await ada.command("/imagine", "red fox --seed 7")
    await ada.click(await ada.sees(finished), "Edit")
    view = await ada.sees(opened)

    await bob.submit(view, prompt="mine")

    assert "somebody else" in (await bob.sees(private_answer("UBOB"))).words


async def test_a_trigger_that_is_too_old_is_explained(ada: Someone, stage: Stage) -> None:
    """Slack gives three seconds; after that the member is asked to try again."""
    real = stage.slack.triggers.redeem

    def late(trigger: str | None) -> None:
        stage.slack.shift += 4
        real(trigger)

    stage.slack.triggers = _LateTriggers(stage.slack.triggers, late)  # type: ignore[assignment] # the same two verbs
    await ada.command("/imagine")

    assert "Slack took too long to open the form; type the command again" in (await ada.sees(private_answer())).words


async def test_a_trigger_that_slack_does_not_know_is_explained(ada: Someone) -> None:
    """As one that is too old: the member can do something about it, and nothing is wrong on our side."""
    await ada.command("/imagine", trigger_id="unheard.of")

    assert "type the command again" in (await ada.sees(private_answer())).words


class _LateTriggers:
    """Triggers that are redeemed when their time is over."""

    def __init__(self, triggers: Any, redeem: Any) -> None:
        self.issue = triggers.issue
        self.redeem = redeem
