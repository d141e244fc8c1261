"""What every contract test starts from: a queue and its neighbours on a real database, with a clock that waits."""

from typing import Any

import pytest

from storage.database import Database
from storage.guilds.connections import Connections
from storage.guilds.guilds import Guild, GuildStore
from storage.platform import Platform
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job
from storage.queue.outbox import Outbox
from tests.new_jobs import Enqueue, new_job


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, lease_seconds=60)


@pytest.fixture
def guilds(database: Database) -> GuildStore:
    return GuildStore(database)


@pytest.fixture
def connections(database: Database) -> Connections:
    return Connections(database)


@pytest.fixture
async def guild(guilds: GuildStore) -> Guild:
    return await guilds.ensure(Platform.DISCORD, "100", "Pixel People")


@pytest.fixture
async def other_guild(guilds: GuildStore) -> Guild:
    return await guilds.ensure(Platform.SLACK, "T200", "Ink Works")


@pytest.fixture
def enqueue(queue: JobQueue, guild: Guild) -> Enqueue:
    """Enqueues a job in the first guild, with changes by name."""

    async def _enqueue(member: str = "ann", **changes: Any) -> Job:
        return await queue.enqueue(new_job(guild.id, member, **changes))

    return _enqueue


@pytest.fixture
async def claim(queue: JobQueue, enqueue: Enqueue) -> Claim:
    """A worker's hold on the only job."""
    await enqueue()
    held = await queue.claim("worker-1")
    assert held is not None
    return held
