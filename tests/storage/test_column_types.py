"""What columns do with text and numbers that a database cannot hold, on every database."""

import pytest

from storage.column_types import storable
from storage.database import Database
from storage.guilds.guilds import Guild, GuildStore
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from tests.new_jobs import new_job


@pytest.mark.parametrize(
    ("text", "stored"),
    [("füchse 🦊\n", "füchse 🦊\n"), ("a\0b", "a?b"), ("\ud800x\udfff", "?x?"), ("\u202eabc\ufffe", "\u202eabc\ufffe")],
)
async def test_text_is_stored_as_far_as_it_is_text(database: Database, guild: Guild, text: str, stored: str) -> None:
    """NUL and halves of surrogate pairs cost a question mark, never the row; all else comes back as it was."""
    queue, guilds = JobQueue(database), GuildStore(database)

    job = await queue.enqueue(new_job(guild.id, payload=text, member_name=text))
    renamed = await guilds.ensure(Platform.SLACK, "T1", text)

    assert (job.payload, job.member_name, renamed.name) == (stored, stored, stored)
    assert storable(stored) == stored
