"""A database that cannot be written: what a member of a workspace is told, and that all is well afterwards."""

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.storage_troubles import REFUSAL, TROUBLES, Trouble
from tests.wire.slack.looks import finished
from tests.wire.slack.people import Someone
from tests.wire.slack.stage import Stage
from tests.wire.slack.workspace import Workspace


def _refusals(workspace: Workspace) -> int:
    return sum(REFUSAL in message.words for message in workspace.private("UADA"))


@TROUBLES
@pytest.mark.usefixtures("impatient")
async def test_what_cannot_be_stored_is_answered(ada: Someone, stage: Stage, tmp_path: Path, trouble: Trouble) -> None:
    """A command, a click and a mention: each in the same sentence."""
    await ada.command("/imagine", "red fox")
    message = await ada.sees(finished)
    with trouble(stage.database, tmp_path / "limner.db"):
        await ada.command("/imagine", "blue owl")
        await ada.sees(lambda w: _refusals(w) == 1)
        await ada.click(message, "Again")
        await ada.sees(lambda w: _refusals(w) == 2)
        await ada.mention("blue owl")
        await ada.sees(lambda w: _refusals(w) == 3)

    await ada.command("/imagine", "green frog")

    async def jobs() -> list[str] | None:
        queued = await stage.context.queue.guild_jobs(1)
        return [stage.context.jobs.title(job) for job in queued] if len(queued) == 2 else None

    assert await eventually(jobs) == ["green frog", "red fox"]
