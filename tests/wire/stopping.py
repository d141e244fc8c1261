"""A process that is stopped while it answers: what it has begun is left, and nothing of it is queued."""

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from handlers.jobs.job_spec import JobSpecs
from handlers.messages.message import Message
from storage.database import Database
from storage.guilds.member_data import MemberData
from storage.queue.jobs import JobKind

FOR_EVER = 10**6


@dataclass
class Stops:
    """How often the process is still stopped, and how often it was."""

    left: int
    seen: int = 0


@dataclass(frozen=True)
class StoppedJobs(JobSpecs):
    """The table of jobs, in a process that is stopped before a job is stored."""

    stops: Stops = field(default_factory=lambda: Stops(1))

    async def enqueue(self, kind: JobKind, payload: object, caller: Caller, context: AppContext) -> Message:
        if self.stops.left:
            self.stops.left -= 1
            self.stops.seen += 1
            raise asyncio.CancelledError
        return await super().enqueue(kind, payload, caller, context)


def stop_after_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the process once, in the moment in which a job is deleted and its message is not yet."""
    delete_job = MemberData.delete_job

    async def delete_and_stop(members: MemberData, guild_id: int, job_id: int) -> bool:
        if await delete_job(members, guild_id, job_id):
            raise asyncio.CancelledError
        return False

    monkeypatch.setattr(MemberData, "delete_job", delete_and_stop)


async def make_older(database: Database, seconds: float) -> None:
    """Let what was received have come so much earlier."""
    async with database.write() as connection:
        await connection.execute(text("UPDATE inbox SET received_at = received_at - :seconds"), {"seconds": seconds})


async def is_settled(database: Database) -> bool:
    """Whether nothing is left that was received and not answered."""
    async with database.read() as connection:
        return not await connection.scalar(text("SELECT count(*) FROM inbox WHERE encrypted IS NOT NULL"))
