"""/cancel: one job, or all of one member."""

import pytest

from handlers.commands.context import AppContext
from pipeline.errors import UserError
from storage.guilds.guilds import Guild
from storage.queue.jobs import JobState
from tests.app_contexts import CallCommand


async def test_cancel_stops_what_is_ones_own(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Another member's job is out of reach, an admin may stop any."""
    job_id = (await call("imagine", prompt="fox")).job_id
    assert job_id is not None

    with pytest.raises(UserError, match="belongs to Ada"):
        await call("cancel", member="bob", job=job_id)
    await call("cancel", member="mod", admin=True, job=job_id)

    job = await context.queue.get(guild.id, job_id)
    assert job is not None
    assert job.state is JobState.CANCELLED
    with pytest.raises(UserError, match="already finished"):
        await call("cancel", job=job_id)
    with pytest.raises(UserError, match="Nothing of yours"):
        await call("cancel")
