"""Buttons in Slack: they survive restarts, and check each time who clicks."""

import copy
from pathlib import Path

import pytest

from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import finished, opened, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, on_stage, socket_settings
from tests.wire.slack.workspace import Workspace


async def test_again_makes_another_image(ada: Someone) -> None:
    """A second message; the first keeps its image."""
    await ada.command("/imagine", "red fox --seed 7")
    message = await ada.sees(finished)

    await ada.click(message, "Again")

    both = await ada.sees(lambda w: (found := [m for m in w.in_channel("CGEN") if m.images])[1:] and found)
    assert both[0] is message


async def test_two_clicks_at_once_do_one_thing(ada: Someone, stage: Stage) -> None:
    """A double click, or Slack sending twice."""
    await ada.command("/imagine", "red fox --seed 7")
    message = await ada.sees(finished)

    await ada.click(message, "Again")
    await ada.click(message, "Again")
    await ada.click(message, "Info")

    await ada.sees(private_answer())
    await ada.sees(lambda w: len([m for m in w.in_channel("CGEN") if m.images]) == 2)
    assert len(stage.device.submitted) == 2


async def test_info_is_for_the_one_who_asks_and_can_be_pasted_back(ada: Someone, bob: Someone) -> None:
    """Every parameter as a command, under the name that it has here."""
    await ada.command("/imagine", "red fox --seed 7")
    message = await ada.sees(finished)

    await bob.click(message, "Info")

    info = await bob.sees(private_answer("UBOB"))
    assert "/imagine red fox" in info.words
    assert "--seed 7" in info.words
    assert bob.workspace.private("UADA") == []


async def test_save_sends_the_image_directly(ada: Someone, bob: Someone) -> None:
    """Anyone who asks for it gets it, uploaded once more for them."""
    await ada.command("/imagine", "red fox")
    message = await ada.sees(finished)

    await bob.click(message, "Save")

    assert (await bob.sees(lambda w: finished(w, "DUBOB"))).images
    assert "direct message" in (await bob.sees(private_answer("UBOB"))).words


async def test_only_its_owner_or_an_admin_deletes_an_image(ada: Someone, bob: Someone, eve: Someone) -> None:
    """Who clicks is asked of Slack; the message goes, its file, and its rows."""
    await ada.command("/imagine", "red fox")
    message = await ada.sees(finished)

    await bob.click(message, "Delete")
    assert "ada's" in (await bob.sees(private_answer("UBOB"))).words
    assert message in bob.workspace.messages

    await eve.click(message, "Delete")
    await eve.sees(lambda w: message not in w.messages and not w.files)


async def test_cancel_stops_what_waits(ada: Someone, bob: Someone, stage: Stage) -> None:
    """Somebody else cannot; its owner can, and the message says so."""
    stage.device.eager = False
    await ada.command("/imagine", "red fox")
    message = await ada.sees(lambda w: next(iter(w.in_channel("CGEN")), None))

    await bob.click(message, "Cancel")
    assert "only they or an admin" in (await bob.sees(private_answer("UBOB"))).words
    await ada.click(message, "Cancel")

    await ada.sees(lambda _: "Cancelled" in message.words)


async def test_a_button_works_after_a_restart(
    slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Nothing of it is kept in memory."""
    async with on_stage(slack, socket_settings(slack, tmp_path), empty_sqlite) as before:
        await before.member().command("/imagine", "red fox")
        message = await before.member().sees(finished)
    async with on_stage(slack, socket_settings(slack, tmp_path), empty_sqlite) as after:
        await after.member().click(message, "Again")
        await after.member().sees(lambda w: len([m for m in w.in_channel("CGEN") if m.images]) == 2)
    assert len(workspace.in_channel("CGEN")) == 2


async def test_a_button_of_another_version_says_what_to_do(ada: Someone) -> None:
    """Old messages stay for years."""
    await ada.command("/imagine", "red fox")
    message = await ada.sees(finished)
    message.buttons["Again"]["action_id"] = "v9:unheard-of:1:0"

    await ada.click(message, "Again")

    assert "another version" in (await ada.sees(private_answer())).words


@pytest.mark.parametrize("action_id", ["zzz", "v1:again:99999999999999999999:0", "v9:again:1:0", "open-form:no such"])
async def test_a_button_that_is_none_of_ours_is_answered(ada: Someone, action_id: str) -> None:
    """Whatever its id says, the member hears something, and them alone."""
    await ada.command("/imagine", "red fox --seed 7")
    message = copy.deepcopy(await ada.sees(finished))
    message.buttons["Again"]["action_id"] = action_id

    await ada.click(message, "Again")

    said = (await ada.sees(private_answer())).words
    assert "went wrong" not in said
    assert "of Limner" in said or "There is no command" in said


async def test_a_form_opens_though_a_choice_is_wrong_and_a_file_is_needed(ada: Someone) -> None:
    """Slack refuses a form whose select begins with a choice that it does not have."""
    await ada.command("/limner", "edit a hat --control magic --steps 9")

    form = await ada.sees(opened)
    initial = {block["block_id"]: block["element"] for block in form["blocks"] if block["type"] == "input"}
    assert "initial_option" not in initial["control"]
    assert initial["steps"]["initial_value"] == "9"
