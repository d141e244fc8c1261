"""A database that cannot be written: what a member of a server is told, and that all is well afterwards."""

from pathlib import Path

import discord
import pytest
import simcord

from storage.database import Database
from storage.queue.jobs import JobState
from tests.bot.discord.conftest import World, finished, words
from tests.storage_troubles import REFUSAL, TROUBLES, Trouble


@TROUBLES
@pytest.mark.usefixtures("impatient")
async def test_what_cannot_be_stored_is_answered(
    world: World, sqlite: Database, tmp_path: Path, trouble: Trouble
) -> None:
    """Commands and clicks: each in the same sentence, none is left thinking, and nothing is half done."""
    message = await finished(world)
    with trouble(sqlite, tmp_path / "limner.db"):
        answers = [
            await world.ada.slash(world.channel, "imagine", prompt="blue owl"),
            await world.ada.slash(world.channel, "imagine", prompt="blue owl", private=True),
            await world.ada.click(message, label="Again"),
            await world.ada.click(message, label="Delete"),
            await world.admin.slash(world.channel, "settings", **{"max-steps": 9}),
        ]

    assert [REFUSAL in _said(answer) for answer in answers] == [True] * len(answers)
    # discord.py reports to its own log what the tree was told of, besides.
    world.expected_errors = len(world.env.errors)
    await world.ada.slash(world.channel, "imagine", prompt="green frog")
    assert len(await world.context.queue.guild_jobs(1, states=(JobState.QUEUED,))) == 1


def _said(result: simcord.InteractionResult) -> str:
    heard: list[discord.Message | simcord.ResponseMessage] = [m for m in (result.response, *result.followups) if m]
    return "\n".join(map(words, heard)).replace("\\", "")
