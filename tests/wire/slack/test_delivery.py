"""Delivery in Slack: whatever closes, the image finds its member, or stays in the history."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from handlers.messages.message import Message, Mood
from storage.platform import Platform
from storage.tables import replies
from tests.eventually import eventually
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.installing import install
from tests.wire.slack.looks import finished
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage, oauth_settings, on_stage, socket_settings
from tests.wire.slack.workspace import PostedMessage, Workspace, direct_channel, new_workspace


def direct(workspace: Workspace) -> PostedMessage | None:
    """The image in Ada's direct messages."""
    return finished(workspace, direct_channel("UADA"))


async def test_a_channel_without_the_bot_is_answered_directly(ada: Someone) -> None:
    """`not_in_channel`: the image comes in a direct message that says how to invite us."""
    await ada.command("/imagine", "red fox", channel="CPRIV")

    message = await ada.sees(direct)

    assert "/invite @Limner" in message.words


async def test_progress_of_another_process_does_not_stay_over_a_result(ada: Someone, stage: Stage) -> None:
    """It was on its way when the result was posted; the result comes back, and nothing else is posted."""
    await ada.command("/imagine", "red fox")
    shown = await ada.sees(finished)
    await _settled(stage)
    other = replace(stage.edge.chat, _boards={}, _standing={}, _delivering=set())
    address = await stage.context.outbox.address(1, 1)
    assert address is not None

    await other.show_progress(address, Message(headline="red fox", mood=Mood.WORKING, job_id=1))
    await ada.sees(lambda _: "red fox" in shown.words and not shown.images)

    await ada.sees(lambda _: shown.images)
    assert [message.ts for message in ada.workspace.in_channel("CGEN")] == [shown.ts]


async def test_two_processes_leave_one_status_message(ada: Someone, stage: Stage) -> None:
    """Both find that there is none, and both post one."""
    stage.device.eager = False
    other = replace(stage.edge.chat, _boards={}, _standing={}, _delivering=set())
    await ada.command("/imagine", "red fox")
    (status,) = await ada.sees(lambda w: w.in_channel("CGEN"))
    address = await stage.context.outbox.address(1, 1)
    assert address is not None

    await other.show_progress(replace(address, message_id=None), Message(headline="red fox", job_id=1))

    await ada.sees(lambda _: stage.slack.called("chat.delete"))
    assert ada.workspace.in_channel("CGEN") == [status]


@pytest.mark.parametrize("refusal", ["channel_not_found", "restricted_action_read_only_channel", "is_archived"])
async def test_a_closed_channel_is_answered_directly(ada: Someone, refusal: str) -> None:
    """Each of Slack's words for a closed door leads to the next one."""
    ada.workspace.channels["CGEN"].refusal = refusal
    await ada.command("/imagine", "red fox")

    assert "could not write in the channel" in (await ada.sees(direct)).words


async def test_a_channel_archived_meanwhile_is_answered_directly(ada: Someone, stage: Stage) -> None:
    """The status message stands there and cannot be edited any more."""
    stage.device.eager = False
    await ada.command("/imagine", "red fox")
    await ada.sees(lambda w: w.in_channel("CGEN"))
    (render,) = await ada.sees(lambda _: stage.device.submitted)
    ada.workspace.channels["CGEN"].refusal = "is_archived"
    stage.device.finish(render)

    assert "could not write in the channel" in (await ada.sees(direct)).words


async def test_a_channel_that_takes_only_threads_is_answered_below_the_status(ada: Someone, stage: Stage) -> None:
    """The status message can no longer be edited; the image comes as an answer to it."""
    stage.device.eager = False
    await ada.command("/imagine", "red fox")
    (status,) = await ada.sees(lambda w: w.in_channel("CGEN"))
    (render,) = await ada.sees(lambda _: stage.device.submitted)
    ada.workspace.channels["CGEN"].refusal = "restricted_action_thread_only_channel"
    ada.workspace.troubles["chat.update"] = ["edit_window_closed"] * 2
    stage.device.finish(render)

    assert (await ada.sees(finished)).thread_ts == status.ts


async def test_a_status_message_that_was_deleted_is_posted_again(ada: Someone, stage: Stage) -> None:
    """Somebody tidied up; the image comes all the same."""
    stage.device.eager = False
    await ada.command("/imagine", "red fox")
    (status,) = await ada.sees(lambda w: w.in_channel("CGEN"))
    (render,) = await ada.sees(lambda _: stage.device.submitted)
    ada.workspace.messages.remove(status)
    stage.device.finish(render)

    assert (await ada.sees(finished)).ts != status.ts


@pytest.mark.parametrize(
    ("refusal", "words"), [("file_uploads_disabled", "takes no uploads"), ("storage_limit_reached", "no storage left")]
)
async def test_a_workspace_that_takes_no_files_gets_a_sentence(
    ada: Someone, stage: Stage, refusal: str, words: str
) -> None:
    """The status message says who can mend it; the images stay for the history."""
    ada.workspace.troubles["files.getUploadURLExternal"] = [refusal]
    await ada.command("/imagine", "red fox")

    await ada.sees(lambda w: any(words in m.words for m in w.in_channel("CGEN")))
    await _settled(stage)
    job = await stage.context.queue.get(1, 1)
    assert job is not None
    assert len(await stage.context.queue.images(1, 1)) == 1


async def test_a_revoked_token_keeps_the_image(ada: Someone, stage: Stage) -> None:
    """Nobody can be reached; the reply is settled, and is not tried for ever."""
    stage.device.eager = False
    await ada.command("/imagine", "red fox")
    await ada.sees(lambda w: w.in_channel("CGEN"))
    (render,) = await ada.sees(lambda _: stage.device.submitted)
    ada.workspace.revoked.add(ada.workspace.token)
    stage.device.finish(render)

    await _settled(stage)
    assert len(await stage.context.queue.images(1, 1)) == 1


async def test_a_file_is_shown_only_when_slack_has_processed_it(ada: Someone) -> None:
    """The judge refuses a block whose file is not ready; two looks say not yet, the third says ready."""
    ada.workspace.processing_looks = 3
    await ada.command("/imagine", "red fox --n 2")

    message = await ada.sees(finished)

    assert len(message.images) == 2
    assert len(ada.slack.called("files.info")) >= 5


async def test_a_file_that_slack_works_on_for_long_is_uploaded_once(
    slack: FakeSlack, workspace: Workspace, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Its id is kept, also over a restart, and asked for until Slack is done."""
    workspace.processing_looks = 12
    settings = socket_settings(slack, tmp_path)
    async with on_stage(slack, settings, empty_sqlite) as before:
        await before.member().command("/imagine", "red fox")
        await before.member().sees(lambda _: len(slack.called("files.info")) >= 4)
    async with on_stage(slack, settings, empty_sqlite) as after:
        message = await after.member().sees(finished)

        assert message.images == list(workspace.files)
        assert await after.context.notes.get(f"slack files of {await _nonce(after)}") is None
    assert len(slack.called("files.getUploadURLExternal")) == 1


async def test_a_file_that_was_taken_away_is_uploaded_again(ada: Someone) -> None:
    """Somebody deleted it before it was shown."""
    ada.workspace.troubles["chat.update"] = ["file_deleted"]
    await ada.command("/imagine", "red fox")

    message = await ada.sees(finished)

    assert message.images == [list(ada.workspace.files)[-1]]
    assert len(ada.workspace.files) == 2


@pytest.mark.parametrize(
    ("method", "error", "words"),
    [
        ("files.getUploadURLExternal", "missing_scope", "ask an admin"),
        ("files.completeUploadExternal", "access_denied", "ask an admin"),
        ("files.info", "missing_scope", "ask an admin"),
        ("chat.update", "ekm_access_denied", "ask an admin"),
        ("chat.update", "msg_too_long", "did not take the pictures"),
    ],
)
async def test_a_final_error_ends_in_words_and_a_line_for_the_admins(
    ada: Someone, stage: Stage, method: str, error: str, words: str
) -> None:
    """It is not tried again; the images stay in the history."""
    ada.workspace.troubles[method] = [error]
    await ada.command("/imagine", "red fox")
    await _settled(stage)

    [status] = ada.workspace.in_channel("CGEN")
    assert words in status.words
    assert "Cancel" not in status.buttons
    assert ada.workspace.troubles[method] == []
    guild = (await stage.context.guilds.all(Platform.SLACK))[0]
    entries = await stage.context.audit.entries(guild.id)
    assert [error in entry.detail for entry in entries] == [True]


async def test_a_channel_that_takes_no_files_has_them_sent_directly(ada: Someone, stage: Stage) -> None:
    """A channel shared with another organisation may forbid uploads; the status message says where they are."""
    ada.workspace.channels["CGEN"].refuses_files = True
    await ada.command("/imagine", "red fox")

    assert "takes no files from Limner" in (await ada.sees(direct)).words
    await _settled(stage)
    [status] = ada.workspace.in_channel("CGEN")
    assert "came to you in a direct message" in status.words
    assert status.buttons == {}


async def test_where_no_files_are_taken_at_all_words_are(ada: Someone, stage: Stage) -> None:
    """Neither in the channel nor directly."""
    ada.workspace.channels["CGEN"].refuses_files = True
    ada.workspace.troubles["conversations.open"] = ["user_disabled"]
    await ada.command("/imagine", "red fox")
    await _settled(stage)

    [status] = ada.workspace.in_channel("CGEN")
    assert "does not take these files" in status.words


async def test_a_status_message_that_is_over_leaves_no_cancel_behind(ada: Someone, stage: Stage) -> None:
    """It can no longer be edited, and the image came as a new message: the old one is taken away."""
    ada.workspace.troubles["chat.update"] = ["edit_window_closed"] * 2
    await ada.command("/imagine", "red fox")

    message = await ada.sees(finished)
    await _settled(stage)

    assert ada.workspace.in_channel("CGEN") == [message]


async def test_an_error_that_passes_is_tried_again_and_uploads_nothing_twice(ada: Someone) -> None:
    """Slack's own refusal delays the image."""
    ada.workspace.troubles["chat.update"] = ["internal_error"]
    await ada.command("/imagine", "red fox")

    await ada.sees(finished)
    assert len(ada.workspace.files) == 1


async def test_a_member_who_cannot_be_written_to_keeps_the_image_in_the_history(ada: Someone, stage: Stage) -> None:
    """Every way is closed: the channel and the direct message."""
    ada.workspace.troubles["conversations.open"] = ["user_disabled"] * 10
    await ada.command("/imagine", "red fox", channel="CPRIV")

    await _settled(stage)

    assert direct(ada.workspace) is None
    assert len(await stage.context.queue.images(1, 1)) == 1


async def _nonce(stage: Stage) -> str:
    """The nonce of the one reply."""
    async with stage.database.read() as connection:
        return str(await connection.scalar(select(replies.c.nonce)))


async def _settled(stage: Stage) -> None:
    """Until the image is recorded and its reply is owed to nobody."""

    async def look() -> bool | None:
        recorded = await stage.context.queue.images(1, 1)
        return (recorded and await stage.context.outbox.unsettled(Platform.SLACK) == 0) or None

    await eventually(look)


async def test_a_workspace_that_is_asked_to_wait_holds_back_no_other(
    slack: FakeSlack, tmp_path: Path, empty_sqlite: Path
) -> None:
    """Slack asks one for half a minute at its upload; the images of twenty others are there in a fraction of that."""
    workspaces = [slack.add(new_workspace(number)) for number in range(1, 22)]
    first, *others = workspaces
    slack.rate_limits.held[first.team_id, "files.getUploadURLExternal"] = 30.0
    async with on_stage(slack, oauth_settings(slack, tmp_path), empty_sqlite) as stage:
        for workspace in workspaces:
            assert await install(slack, stage.url, workspace) == 200
        for workspace in workspaces:
            await stage.someone(workspace).command("/imagine", "red fox")
        began = time.monotonic()
        for workspace in others:
            await stage.someone(workspace).sees(finished)
        assert time.monotonic() - began < 25
        assert slack.rate_limits.times_held == 1
        assert finished(first) is None
