"""What the queue stores and returns, on every database."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from storage.guilds.guilds import Guild
from storage.queue.images import NewImage
from storage.queue.job_queue import Beat, CancelResult, Claim, ClaimStatus, JobQueue
from storage.queue.jobs import Done, GiveUp, JobKind, JobState, Retry, TooManyWaiting
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job

FOX = NewImage(index=0, blob="a" * 64, width=64, height=48, seed=2**32 - 1, parameters="red fox", nsfw=True)


async def test_job_comes_back_as_it_was_asked(queue: JobQueue, guild: Guild, clock: FakeClock) -> None:
    """What is enqueued is read back word for word, queued and untouched."""
    new = new_job(guild.id, payload='{"prompt": "füchse 🦊"}', units=7.0)

    job = await queue.enqueue(new)

    assert job == await queue.get(guild.id, job.id)
    assert (job.payload, job.member_name, job.state) == (new.payload, "Ann", JobState.QUEUED)
    assert (job.created_at, job.attempt, job.estimated_seconds) == (clock.now, 0, 7.0)


async def test_empty_queue_gives_nothing(queue: JobQueue) -> None:
    """A worker that finds no job gets None."""
    assert await queue.claim("worker-1") is None


async def test_one_job_is_claimed_once(queue: JobQueue, enqueue: Enqueue) -> None:
    """A claimed job is not given to a second worker."""
    await enqueue()
    assert await queue.claim("worker-1") is not None
    assert await queue.claim("worker-2") is None


async def test_heartbeat_shows_progress_and_keeps_the_last_preview(queue: JobQueue, guild: Guild, claim: Claim) -> None:
    """Steps and previews reach the job's row, and a beat without a preview keeps the one before."""
    await queue.heartbeat("worker-1", [Beat(claim=claim, step=1, steps=4, preview=b"blurry")])
    statuses = await queue.heartbeat("worker-1", [Beat(claim=claim, step=2, steps=4)])

    job = await queue.get(guild.id, claim.job.id)
    assert statuses == {claim.job.id: ClaimStatus.HELD}
    assert job is not None
    assert (job.step, job.steps, job.preview) == (2, 4, b"blurry")


async def test_heartbeat_keeps_a_job_from_rescue(queue: JobQueue, clock: FakeClock, claim: Claim) -> None:
    """The rescue counts from the last beat, not from the claim."""
    clock.now += 20
    await queue.heartbeat("worker-1", [Beat(claim=claim, step=1, steps=4)])
    clock.now += 20

    assert await queue.rescue(30) == []


async def test_one_heartbeat_tells_each_claim_its_own_status(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """Of three claims in one beat, the held, the cancelled and the lost one get different answers."""
    for _ in range(3):
        await enqueue()
    claims = [held for _ in range(3) if (held := await queue.claim("worker-1"))]
    held, cancelled, lost = claims
    await queue.cancel(guild.id, cancelled.job.id)
    await queue.settle(lost, GiveUp(sentence="No."))

    statuses = await queue.heartbeat("worker-1", [Beat(claim=each, step=1, steps=4) for each in claims])

    assert statuses == {
        held.job.id: ClaimStatus.HELD,
        cancelled.job.id: ClaimStatus.CANCEL,
        lost.job.id: ClaimStatus.LOST,
    }


async def test_preview_goes_when_the_job_leaves_its_worker(queue: JobQueue, guild: Guild, claim: Claim) -> None:
    """A settled job keeps no preview, since its image is there."""
    await queue.heartbeat("worker-1", [Beat(claim=claim, step=1, steps=4, preview=b"blurry")])

    await queue.settle(claim, Done(device_seconds=1.0))

    job = await queue.get(guild.id, claim.job.id)
    assert job is not None
    assert (job.preview, job.device_seconds) == (None, 1.0)


async def test_image_is_recorded_once_an_index(queue: JobQueue, guild: Guild, claim: Claim) -> None:
    """Recording an index again keeps the first image and is no error; another index is another image."""
    assert await queue.record_image(claim, FOX) is True
    assert await queue.record_image(claim, replace(FOX, blob="b" * 64)) is True
    assert await queue.record_image(claim, replace(FOX, index=1, blob="c" * 64)) is True

    found = await queue.images(guild.id, claim.job.id)
    assert [(image.index, image.blob) for image in found] == [(0, "a" * 64), (1, "c" * 64)]
    assert (found[0].seed, found[0].width, found[0].height, found[0].nsfw) == (2**32 - 1, 64, 48, True)


async def test_lost_claim_records_no_image(queue: JobQueue, guild: Guild, clock: FakeClock, claim: Claim) -> None:
    """A worker whose job was rescued adds nothing to it."""
    clock.now += 30
    await queue.rescue(30)

    assert await queue.record_image(claim, FOX) is False
    assert await queue.images(guild.id, claim.job.id) == ()


async def test_images_survive_a_retry(queue: JobQueue, guild: Guild, claim: Claim) -> None:
    """What an attempt recorded is there for the next, which need not render it again."""
    await queue.record_image(claim, FOX)

    await queue.settle(claim, Retry(after_seconds=0.0, why="The device was lost."))

    assert [image.blob for image in await queue.images(guild.id, claim.job.id)] == ["a" * 64]


async def test_guilds_do_not_see_each_other(queue: JobQueue, guild: Guild, other_guild: Guild, claim: Claim) -> None:
    """No reading and no cancelling of a job by its id from another guild."""
    await queue.record_image(claim, FOX)
    other, job_id = other_guild.id, claim.job.id

    assert await queue.get(other, job_id) is None
    assert await queue.images(other, job_id) == ()
    assert await queue.place(other, job_id) is None
    assert await queue.guild_jobs(other) == ()
    assert await queue.member_jobs(other, claim.job.member_id) == ()
    assert await queue.cancel(other, job_id) is CancelResult.NOT_FOUND
    job = await queue.get(guild.id, job_id)
    assert job is not None
    assert job.cancel_requested is False


async def test_history_pages_newest_first(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """A member's jobs come newest first and go on below an id; another member's are not among them."""
    mine = [(await enqueue("ann")).id for _ in range(4)]
    await enqueue("bob")

    first = await queue.member_jobs(guild.id, "ann", limit=3)
    rest = await queue.member_jobs(guild.id, "ann", limit=3, before=first[-1].id)

    assert [job.id for job in (*first, *rest)] == mine[::-1]
    assert len(await queue.guild_jobs(guild.id)) == 5


async def test_history_can_be_asked_by_state(queue: JobQueue, guild: Guild, enqueue: Enqueue, claim: Claim) -> None:
    """Only jobs in the states that were asked for are listed."""
    waiting = await enqueue()

    running = await queue.guild_jobs(guild.id, states=(JobState.RUNNING,))
    queued = await queue.guild_jobs(guild.id, states=(JobState.QUEUED,))

    assert [job.id for job in running] == [claim.job.id]
    assert [job.id for job in queued] == [waiting.id]


async def test_jobs_can_be_asked_by_kind(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """The latest of a kind is found, however many others came after it; without a limit all of them are."""
    check = await enqueue(kind=JobKind.CHECK_IMAGES)
    others = [(await enqueue()).id for _ in range(30)]

    latest = await queue.member_jobs(guild.id, "ann", kinds=(JobKind.CHECK_IMAGES,), limit=1)
    rest = await queue.member_jobs(guild.id, "ann", kinds=(JobKind.IMAGINE,))

    assert [job.id for job in latest] == [check.id]
    assert [job.id for job in rest] == others[::-1]


async def test_failed_transaction_leaves_nothing(queue: JobQueue, guild: Guild) -> None:
    """A job whose guild does not exist leaves neither a job nor a share behind."""
    with pytest.raises(IntegrityError):
        await queue.enqueue(new_job(guild.id + 1000))

    assert await queue.claim("worker-1") is None
    await queue.enqueue(new_job(guild.id))
    assert await queue.claim("worker-1") is not None


async def test_a_member_has_only_so_many_waiting(queue: JobQueue, guild: Guild) -> None:
    """Jobs of any kind count; what runs or belongs to others does not, and a refused job leaves nothing."""
    kinds = (JobKind.IMAGINE, JobKind.DRAW_MAP, JobKind.ENLARGE)
    for kind in kinds:
        await queue.enqueue(new_job(guild.id, kind=kind, most_waiting=3))
    with pytest.raises(TooManyWaiting) as refusal:
        await queue.enqueue(new_job(guild.id, most_waiting=3, blobs=("b" * 64,)))
    assert refusal.value.waiting == 3
    assert len(await queue.guild_jobs(guild.id)) == 3

    await queue.enqueue(new_job(guild.id, member="bob", most_waiting=3))
    assert await queue.claim("worker-1") is not None
    await queue.enqueue(new_job(guild.id, most_waiting=3))
    with pytest.raises(TooManyWaiting):
        await queue.enqueue(new_job(guild.id, most_waiting=3))


async def test_a_member_who_asks_everywhere_at_once_gets_no_more(queue: JobQueue, guild: Guild) -> None:
    """The jobs are counted in the transaction that adds one, so that no two are counted alike."""
    asked = (queue.enqueue(new_job(guild.id, most_waiting=5)) for _ in range(30))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(refused) == 25
    assert {type(error) for error in refused} == {TooManyWaiting}
    assert len(await queue.guild_jobs(guild.id)) == 5


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 10**30, -(10**30)])
async def test_a_number_larger_than_any_jobs_is_no_jobs(
    queue: JobQueue, guild: Guild, enqueue: Enqueue, number: int
) -> None:
    """It is asked for like any other."""
    await enqueue()
    assert await queue.get(guild.id, number) is None
    assert await queue.place(guild.id, number) is None
    assert await queue.cancel(guild.id, number) is CancelResult.NOT_FOUND
    assert len(await queue.guild_jobs(guild.id, before=number)) == (number > 0)


async def test_a_members_job_is_found_without_its_guild(queue: JobQueue, guild: Guild, enqueue: Enqueue) -> None:
    """A button that is clicked in direct messages knows no guild; another member finds nothing."""
    job = await enqueue()

    assert await queue.guild_of(job.id, job.member_id) == guild.id
    assert await queue.guild_of(job.id, "somebody else") is None
    assert await queue.guild_of(job.id + 1, job.member_id) is None
