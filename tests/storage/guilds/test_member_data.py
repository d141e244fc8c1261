"""What is kept of a member is handed out whole and deleted whole, on every database."""

from dataclasses import replace

import pytest

from pipeline.families.family import ModelFamily
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.guilds.member_data import MemberData
from storage.library.loras import LoraStore, NewLora
from storage.queue.images import NewImage
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done, Job
from storage.queue.pending_calls import SavedCalls
from tests.new_jobs import Enqueue, new_job


@pytest.fixture
def members(database: Database) -> MemberData:
    return MemberData(database)


async def _finish(queue: JobQueue, enqueue: Enqueue, member: str = "ann") -> Job:
    """A finished job of one image."""
    job = await enqueue(member)
    claim = await queue.claim("worker-1")
    assert claim is not None
    await queue.record_image(claim, NewImage(index=0, blob="a" * 64, width=8, height=8, seed=1, parameters="fox"))
    await queue.settle(claim, Done(device_seconds=2.5))
    return job


async def test_export_is_all_of_one_member_in_one_guild(
    members: MemberData, queue: JobQueue, guild: Guild, other_guild: Guild, enqueue: Enqueue
) -> None:
    """Oldest first, each with its outcome; neither another member's jobs nor the member's in another guild."""
    done = await _finish(queue, enqueue)
    waiting = await enqueue("ann", payload="red fox")
    await enqueue("bob")
    await queue.enqueue(new_job(other_guild.id, "ann"))

    exported = await members.export(guild.id, "ann")

    assert [(job.id, job.state, job.images, job.device_seconds) for job in exported] == [
        (done.id, "done", 1, 2.5),
        (waiting.id, "queued", 0, None),
    ]
    assert (exported[1].payload, exported[1].member_name) == ("red fox", "Ann")


async def test_delete_takes_all_but_what_waits(
    members: MemberData, queue: JobQueue, guild: Guild, enqueue: Enqueue, database: Database
) -> None:
    """Jobs, images, saved calls and private LoRAs go; what was shared with the guild and others' things stay."""
    done = await _finish(queue, enqueue)
    others = await _finish(queue, enqueue, "bob")
    waiting = await enqueue("ann")
    calls, loras = SavedCalls(database), LoraStore(database)
    call = await calls.save(guild.id, "ann", "imagine", {"prompt": "fox"})
    lora = NewLora(guild_id=guild.id, name="mine", owner_id="ann", base_family=ModelFamily.SDXL, key="1-a", size=1)
    await loras.add(lora)
    await loras.add(replace(lora, name="secret", key="1-b", private=True))

    assert await members.delete(guild.id, "ann") == 1

    assert {job.id for job in await queue.guild_jobs(guild.id)} == {others.id, waiting.id}
    assert await queue.images(guild.id, done.id) == ()
    assert await calls.get(guild.id, call) is None
    assert [kept.name for kept in await loras.owned(guild.id, "ann")] == ["mine"]


async def test_a_job_is_deleted_once_it_has_ended(
    members: MemberData, queue: JobQueue, guild: Guild, other_guild: Guild, enqueue: Enqueue
) -> None:
    """Not while it waits, and not by its id from another guild."""
    done = await _finish(queue, enqueue)
    waiting = await enqueue()

    assert not await members.delete_job(guild.id, waiting.id)
    assert not await members.delete_job(other_guild.id, done.id)
    assert await members.delete_job(guild.id, done.id)
    assert not await members.delete_job(guild.id, done.id)
