"""What members send on Slack is answered, also where the process that took it is stopped."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.registry import JOBS
from tests.eventually import eventually
from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.looks import finished, private_answer
from tests.wire.slack.people import Someone
from tests.wire.slack.socket_mode import ACK_SECONDS
from tests.wire.slack.stage import Stage, on_stage, socket_settings
from tests.wire.slack.workspace import Workspace
from tests.wire.stopping import FOR_EVER, StoppedJobs, Stops, is_settled, make_older, stop_after_deletion


@pytest.fixture
def stops() -> Stops:
    return Stops(1)


@pytest.fixture
async def stage(
    slack: FakeSlack, workspace: Workspace, stops: Stops, tmp_path: Path, empty_sqlite: Path
) -> AsyncIterator[Stage]:
    """Limner in a process that is stopped before it has queued what was asked."""
    assert workspace.team_id in slack.workspaces
    settings = socket_settings(slack, tmp_path, stale_seconds=1)
    async with on_stage(slack, settings, empty_sqlite, jobs=StoppedJobs(JOBS.rows, stops)) as running:
        yield running


async def settled(stage: Stage) -> None:
    """Wait until nothing is left to answer."""
    await eventually(lambda: is_settled(stage.database))


async def test_a_command_is_gone_on_with(stage: Stage, ada: Someone) -> None:
    """Acknowledged at once, made once."""
    acked = await ada.command("/imagine", "a red fox")
    assert acked.seconds < ACK_SECONDS

    await ada.sees(finished)
    await settled(stage)

    assert len(ada.workspace.in_channel("CGEN")) == 1
    assert len(stage.device.submitted) == 1


async def test_mentions_and_clicks_are_gone_on_with(stage: Stage, stops: Stops, ada: Someone) -> None:
    """Slack sends neither again once it is acknowledged."""
    await ada.mention("a red fox")
    message = await ada.sees(finished)

    stops.left = 1
    await ada.click(message, "Again")
    await eventually(lambda: _made(stage, 2))

    assert stops.seen == 2


async def test_a_deletion_is_gone_on_with(
    stage: Stage, stops: Stops, ada: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is gone already, its message and its file are not."""
    stops.left = 0
    await ada.command("/imagine", "a red fox")
    message = await ada.sees(finished)
    stop_after_deletion(monkeypatch)

    await ada.click(message, "Delete")
    await settled(stage)

    assert message not in ada.workspace.messages
    assert not ada.workspace.files


async def test_once_slack_takes_no_answer_the_member_is_told(stage: Stage, stops: Stops, ada: Someone) -> None:
    """Half an hour later nothing is made."""
    await ada.command("/imagine", "a red fox")
    await eventually(lambda: _seen(stops))
    await make_older(stage.database, 30 * 60)

    answer = await ada.sees(private_answer())
    await settled(stage)

    assert "Limner was stopped before it could answer this" in answer.words
    assert stage.device.submitted == []


async def test_what_ends_every_process_is_given_up(stage: Stage, stops: Stops, ada: Someone) -> None:
    """After three, so that the server goes on for everybody else."""
    stops.left = FOR_EVER
    await ada.command("/imagine", "a red fox")

    answer = await ada.sees(private_answer())
    await settled(stage)

    assert "send it again in another way" in answer.words
    assert stops.seen == 3


async def test_what_is_not_stored_in_time_is_refused(stage: Stage, stops: Stops, ada: Someone) -> None:
    """While Slack still waits; nothing comes of it later."""
    stops.left = 0
    async with stage.database.write(urgent=True):
        await asyncio.gather(ada.command("/imagine", "a red fox"), ada.mention("a grey owl"))
        await ada.sees(lambda workspace: len(workspace.private("UADA")) == 2)

    words = [message.words for message in ada.workspace.private("UADA")]
    assert ["its database does not answer; send it again" in each for each in words] == [True, True]
    await settled(stage)
    assert stage.device.submitted == []


async def test_an_event_that_is_not_stored_comes_again(stage: Stage, slack: FakeSlack, ada: Someone) -> None:
    """Nobody waits for an answer to it; Slack repeats what is not acknowledged."""
    await ada.command("/limner", "queue")
    await ada.sees(private_answer())
    uninstalled = {"type": "app_uninstalled"}
    async with stage.database.write(urgent=True):
        with pytest.raises(TimeoutError):
            await ada.event(uninstalled, event_id="Ev-1")
    slack.violations.clear()  # it says so, too

    await ada.event(uninstalled, event_id="Ev-1", retry=1)
    await settled(stage)

    assert await stage.context.guilds.purge(0) == 1


async def _made(stage: Stage, count: int) -> bool:
    return len(stage.device.submitted) == count


async def _seen(stops: Stops) -> bool:
    return stops.seen > 0
