"""Direct messages in Slack: what came there can be gone on with, and what cannot come there is had by /history."""

from dataclasses import replace
from pathlib import Path

from storage.guilds.guilds import GuildSettings
from storage.platform import Platform
from tests.eventually import eventually
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.looks import finished, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, oauth_settings, on_stage
from tests.wire.slack.workspace import PostedMessage, Workspace, new_workspace


def _images(workspace: Workspace) -> list[PostedMessage]:
    return [message for message in workspace.direct("UADA") if message.images]


async def _settled(stage: Stage) -> None:
    """Until the first image is recorded and its reply is owed to nobody."""

    async def look() -> bool:
        recorded = await stage.context.queue.images(1, 1)
        return bool(recorded) and await stage.context.outbox.unsettled(Platform.SLACK) == 0

    await eventually(look)


async def test_the_buttons_of_a_direct_message_work(ada: Someone, stage: Stage) -> None:
    """Also where images are made in certain channels alone."""
    await ada.command("/imagine", "red fox --private")
    message = await ada.sees(lambda w: finished(w, "DUADA"))
    (guild,) = await stage.context.guilds.all(Platform.SLACK)
    await stage.context.guilds.save_settings(guild.id, GuildSettings(allowed_channels=("CGEN",)), "eve")

    await ada.click(message, "Again")
    await ada.sees(lambda w: len(_images(w)) == 2)
    await ada.click(message, "Edit")
    view = await ada.sees(lambda w: next(iter(w.views.values()), None))
    await ada.submit(view, prompt="grey owl")
    await ada.sees(lambda w: len(_images(w)) == 3)
    await ada.click(message, "Delete")

    await ada.sees(lambda w: message not in w.messages)


async def test_a_direct_message_of_an_organisation_is_of_the_workspace_where_it_was_asked_for(
    slack: FakeSlack, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Slack names the workspace that the member has open, which may be another."""
    workspace = slack.add(new_workspace(enterprise_id="E1", org_wide=True))
    async with on_stage(slack, oauth_settings(slack, tmp_path), empty_sqlite) as stage:
        await install(slack, stage.url, workspace)
        ada = stage.someone(workspace)
        await ada.command("/imagine", "red fox --private")
        message = await ada.sees(lambda w: finished(w, "DUADA"))
        (guild,) = await stage.context.guilds.all(Platform.SLACK)
        other = replace(ada, home="T777")

        await other.click(message, "Again")

        await ada.sees(lambda w: len(_images(w)) == 2)
        assert len(await stage.context.queue.guild_jobs(guild.id)) == 2


async def test_a_private_result_that_cannot_be_sent_is_had_by_history(ada: Someone, stage: Stage) -> None:
    """In the channel, to the member alone."""
    ada.workspace.troubles["conversations.open"] = ["user_not_visible"] * 9
    await ada.command("/imagine", "red fox --private")
    await _settled(stage)
    assert [message for message in ada.workspace.messages if message.images] == []

    await ada.command("/limner", "history")
    history = await ada.sees(lambda w: next((m for m in w.private("UADA") if m.images), None))
    assert "could not be brought to you" in history.words
    await ada.click(history, "Save: 1")

    await ada.sees(lambda w: len([m for m in w.private("UADA") if m.images]) == 2)
    assert ada.workspace.in_channel("CGEN") == []


async def test_a_file_that_takes_slack_too_long_is_not_lost_in_silence(ada: Someone) -> None:
    """What was asked for with a click has nobody to deliver it later: the member is told to ask again."""
    await ada.command("/imagine", "red fox")
    message = await ada.sees(finished)
    ada.workspace.troubles["files.info"] = ["internal_error"] * 9

    await ada.click(message, "Save")

    assert "try again in a minute" in (await ada.sees(private_answer())).words
