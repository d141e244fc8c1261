"""A database that cannot be written: what one reads at the terminal, and that all is well afterwards."""

import io
from pathlib import Path

import pytest

from bot.terminal.session import TerminalSession
from storage.database import Database
from storage.guilds.guilds import Guild
from tests.storage_troubles import Trouble, full, locked, read_only


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (full, "is full or failing; free some space and try again."),
        (read_only, "is read-only; give the user that runs Limner the right to write it."),
        (locked, "is held by another program; close that program and try again."),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_line_that_cannot_be_stored_is_answered(
    session: TerminalSession, sqlite: Database, tmp_path: Path, guild: Guild, text: io.StringIO, trouble: Trouble,
    sentence: str,
) -> None:  # fmt: skip
    """In the sentence for the one who runs Limner, who sits here; what was there stays, the next line is taken."""
    await session.run_line("red fox")
    with trouble(sqlite, tmp_path / "limner.db"):
        await session.run_line("blue owl")
        await session.run_line("/settings --max-steps 9")

    assert " ".join(text.getvalue().split()).count(sentence) == 2
    await session.run_line("green frog")
    assert len(await session.context.queue.guild_jobs(guild.id)) == 2
