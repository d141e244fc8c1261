"""Every finished job is posted once, whichever process dies in between, on every database."""

from dataclasses import replace

import pytest

from storage.guilds.connections import Connections
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done, GiveUp, JobState, Retry
from storage.queue.outbox import Outbox
from storage.queue.reply_address import ReplyAddress
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue, new_job

ADDRESS = ReplyAddress(
    platform=Platform.DISCORD,
    channel_id="c1",
    user_id="ann",
    thread_id="t1",
    message_id="m0",
    private=True,
    locale="de",
    age_restricted=True,
    application_id="bot",
)


async def test_reply_is_due_when_its_job_ends(queue: JobQueue, outbox: Outbox, claim: Claim) -> None:
    """Nothing is due while the job runs or waits to be retried; once it ends, its final state comes with the reply."""
    assert await outbox.due(Platform.DISCORD, "chat-1") == []
    await queue.settle(claim, Retry(after_seconds=0.0, why="The device was lost."))
    assert await outbox.due(Platform.DISCORD, "chat-1") == []
    again = await queue.claim("worker-1")
    assert again is not None

    await queue.settle(again, GiveUp(sentence="The model is gone."))

    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    assert (reply.job.id, reply.job.state, reply.job.error) == (claim.job.id, JobState.FAILED, "The model is gone.")


async def test_cancel_of_a_queued_job_is_answered(
    queue: JobQueue, outbox: Outbox, guild: Guild, enqueue: Enqueue
) -> None:
    """A member who cancels hears of it although no worker ever saw the job."""
    job = await enqueue()

    await queue.cancel(guild.id, job.id)

    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    assert reply.job.state is JobState.CANCELLED


async def test_address_comes_back_whole(queue: JobQueue, outbox: Outbox, guild: Guild) -> None:
    """Every part of a reply's address survives."""
    await queue.enqueue(new_job(guild.id, reply=ADDRESS))

    (reply,) = await outbox.open_replies(Platform.DISCORD)

    assert reply.address == ADDRESS


async def test_of_two_status_messages_the_first_is_remembered(queue: JobQueue, outbox: Outbox, guild: Guild) -> None:
    """The process that posted the other learns which one it is."""
    job = await queue.enqueue(new_job(guild.id, reply=replace(ADDRESS, message_id=None)))

    assert [await outbox.set_message(job.id, name) for name in ("m1", "m2")] == ["m1", "m1"]

    (reply,) = await outbox.open_replies(Platform.DISCORD)
    assert reply.address.message_id == "m1"


async def test_a_result_that_progress_was_put_over_is_posted_again(
    queue: JobQueue, outbox: Outbox, guild: Guild
) -> None:
    """By the one who was posting it, or once it was posted; a result in another message is left alone."""
    job = await queue.enqueue(new_job(guild.id, reply=ADDRESS))
    claim = await queue.claim("worker-1")
    assert claim is not None
    assert not await outbox.post_again(job.id, "m0")  # its job has not ended
    await queue.settle(claim, Done(device_seconds=1.0))
    (posting,) = await outbox.due(Platform.DISCORD, "chat-1")

    assert await outbox.post_again(job.id, "m0")
    assert not await outbox.mark_posted(posting, "m0")
    (again,) = await outbox.due(Platform.DISCORD, "chat-2")
    assert await outbox.mark_posted(again, "m0")

    assert not await outbox.post_again(job.id, "m1")
    assert await outbox.due(Platform.DISCORD, "chat-1") == []
    assert await outbox.post_again(job.id, "m0")
    assert [reply.job.id for reply in await outbox.due(Platform.DISCORD, "chat-1")] == [job.id]


async def test_an_application_posts_what_it_was_asked_for(
    queue: JobQueue, outbox: Outbox, connections: Connections, guild: Guild
) -> None:
    """Another leaves it alone, progress and result, until the one that was asked has left the guild."""
    job = await queue.enqueue(new_job(guild.id, reply=ADDRESS))
    for bot in ("bot", "other"):
        await connections.connect(guild.id, bot)
    shown = [bool(await outbox.open_replies(Platform.DISCORD, application_id=bot)) for bot in ("bot", "other", "")]
    await queue.cancel(guild.id, job.id)

    async def takers() -> list[str]:
        bots = "bot", "other", ""
        return [bot for bot in bots if await outbox.waiting(Platform.DISCORD, limit=9, application_id=bot)]

    assert shown == [True, False, True]
    assert await takers() == ["bot", ""]
    await connections.disconnect(guild.id, "bot")
    assert await takers() == ["bot", "other", ""]


async def test_two_posters_share_no_reply(queue: JobQueue, outbox: Outbox, claim: Claim) -> None:
    """While one process holds the lease, another is given nothing."""
    await queue.settle(claim, Done(device_seconds=1.0))

    first = await outbox.due(Platform.DISCORD, "chat-1")
    second = await outbox.due(Platform.DISCORD, "chat-2")

    assert (len(first), second) == (1, [])


async def test_crash_between_post_and_mark_repeats_the_nonce(
    queue: JobQueue, outbox: Outbox, clock: FakeClock, claim: Claim
) -> None:
    """A poster that died is followed by another with the same nonce, and one mark settles the reply for both."""
    await queue.settle(claim, Done(device_seconds=1.0))
    (lost,) = await outbox.due(Platform.DISCORD, "chat-1")

    clock.now += 59
    assert await outbox.due(Platform.DISCORD, "chat-2") == []
    clock.now += 1
    (again,) = await outbox.due(Platform.DISCORD, "chat-2")

    assert again.nonce == lost.nonce
    assert await outbox.mark_posted(again, "m1") is True
    assert await outbox.mark_posted(lost, "m1") is False


@pytest.mark.parametrize("end", ["posted", "kept"])
async def test_settled_reply_never_falls_due_again(
    end: str, queue: JobQueue, outbox: Outbox, clock: FakeClock, claim: Claim
) -> None:
    """A reply that was posted, or kept since it cannot be delivered, stays settled after its lease."""
    await queue.settle(claim, Done(device_seconds=1.0))
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    assert await outbox.unsettled(Platform.DISCORD) == 1

    if end == "posted":
        await outbox.mark_posted(reply, "m1")
    else:
        await outbox.mark_kept(reply, "The channel is gone.")

    clock.now += 1_000_000
    assert await outbox.due(Platform.DISCORD, "chat-1") == []
    assert await outbox.defer(reply, 0) is False
    assert await outbox.unsettled(Platform.DISCORD) == 0


async def test_deferred_reply_comes_back_and_counts(
    queue: JobQueue, outbox: Outbox, clock: FakeClock, claim: Claim
) -> None:
    """A reply that was put off is due again at its time, for any poster, and knows how often that happened."""
    await queue.settle(claim, Done(device_seconds=1.0))
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.defer(reply, 5)

    clock.now += 4
    assert await outbox.due(Platform.DISCORD, "chat-2") == []
    clock.now += 1
    (again,) = await outbox.due(Platform.DISCORD, "chat-2")
    assert (reply.tries, again.tries) == (0, 1)


async def test_platforms_post_their_own(queue: JobQueue, outbox: Outbox, claim: Claim) -> None:
    """A Slack process is never given a Discord reply, finished or not."""
    assert await outbox.open_replies(Platform.SLACK) == []
    await queue.settle(claim, Done(device_seconds=1.0))

    assert await outbox.due(Platform.SLACK, "chat-1") == []
    assert await outbox.unsettled(Platform.SLACK) == 0


async def test_progress_is_for_open_jobs_running_ones_first(queue: JobQueue, outbox: Outbox, enqueue: Enqueue) -> None:
    """Open replies list what runs before what waits, no more than asked for, and nothing that has ended."""
    ids = [(await enqueue()).id for _ in range(4)]
    first = await queue.claim("worker-1")
    assert first is not None
    await queue.settle(first, Done(device_seconds=1.0))
    second = await queue.claim("worker-1")
    assert second is not None

    shown = await outbox.open_replies(Platform.DISCORD, limit=2)

    assert [reply.job.id for reply in shown] == [second.job.id, *(each for each in ids[1:] if each != second.job.id)][
        :2
    ]


async def test_due_gives_no_more_than_asked(queue: JobQueue, outbox: Outbox, guild: Guild, enqueue: Enqueue) -> None:
    """The limit bounds what one poster takes; the rest is left for the next."""
    for _ in range(3):
        job = await enqueue()
        await queue.cancel(guild.id, job.id)

    assert len(await outbox.due(Platform.DISCORD, "chat-1", limit=2)) == 2
    assert len(await outbox.due(Platform.DISCORD, "chat-2", limit=2)) == 1


async def test_a_guilds_open_jobs_come_in_pages(queue: JobQueue, outbox: Outbox, guild: Guild) -> None:
    """Oldest first, of every member, running or not; none that has ended."""
    jobs = [await queue.enqueue(new_job(guild.id, member)) for member in ("ann", "bob", "cy", "dora")]
    await queue.cancel(guild.id, jobs[1].id)
    claim = await queue.claim("worker-1")
    assert claim is not None

    first = await outbox.open_in_guild(Platform.DISCORD, guild.id, 0, 2)
    rest = await outbox.open_in_guild(Platform.DISCORD, guild.id, first[-1].job.id, 2)

    assert [reply.job.id for reply in (*first, *rest)] == [jobs[0].id, jobs[2].id, jobs[3].id]
    assert JobState.RUNNING in [reply.job.state for reply in first]
    assert await outbox.open_in_guild(Platform.DISCORD, guild.id + 1, 0, 2) == []


async def test_what_could_not_be_delivered_is_found_until_it_is_fetched(
    queue: JobQueue, outbox: Outbox, guild: Guild, other_guild: Guild, claim: Claim
) -> None:
    """By its member in its guild, and only if it made an image."""
    member = claim.job.member_id
    image = NewImage(index=0, blob="0" * 64, width=64, height=64, seed=7, parameters="")
    assert await queue.record_image(claim, image)
    await queue.settle(claim, Done(device_seconds=1.0))
    assert await outbox.newest_kept(guild.id, member) is None
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.mark_kept(reply, "closed")

    kept = await outbox.newest_kept(guild.id, member)

    assert kept is not None
    assert kept.id == claim.job.id
    assert await outbox.newest_kept(other_guild.id, member) is None
    assert await outbox.newest_kept(guild.id, "somebody else") is None
    await outbox.mark_fetched(kept.id)
    assert await outbox.newest_kept(guild.id, member) is None


async def test_what_made_nothing_is_not_offered(queue: JobQueue, outbox: Outbox, guild: Guild, claim: Claim) -> None:
    """A failure that nobody could be told of has no image to fetch."""
    await queue.settle(claim, GiveUp(sentence="The model is gone."))
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.mark_kept(reply, "closed")

    assert await outbox.newest_kept(guild.id, claim.job.member_id) is None


async def test_where_results_went_is_read_for_many_at_once(
    queue: JobQueue, outbox: Outbox, guild: Guild, enqueue: Enqueue
) -> None:
    """Each with the id of its message; what is not posted is not there."""
    posted = await queue.enqueue(new_job(guild.id, reply=ADDRESS))
    waiting = await enqueue()
    await queue.cancel(guild.id, posted.id)
    (reply,) = await outbox.due(Platform.DISCORD, "chat-1")
    await outbox.mark_posted(reply, "m9")

    assert await outbox.posted([posted.id, waiting.id]) == {posted.id: replace(ADDRESS, message_id="m9")}
    assert await outbox.posted([]) == {}
