"""Files that were uploaded for training are kept no longer than the training needs them, on every database."""

import pytest

from storage.database import Database
from storage.guilds.guilds import Guild
from storage.library.training_uploads import TrainingUploads
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Job, JobKind
from tests.fakes import FakeClock
from tests.new_jobs import new_job

FACE, FOX = "a" * 64, "b" * 64


@pytest.fixture
def uploads(database: Database) -> TrainingUploads:
    return TrainingUploads(database)


async def _training(
    queue: JobQueue, guild: Guild, *files: str, key: str = "1-key", kind: JobKind = JobKind.TRAIN
) -> Job:
    """A training, or a check before it, that has ended."""
    job = await queue.enqueue(new_job(guild.id, kind=kind, blobs=files, loras=(key,)))
    await queue.cancel(guild.id, job.id)
    return job


async def test_forgotten_files_are_not_kept(
    uploads: TrainingUploads, queue: JobQueue, guild: Guild, other_guild: Guild
) -> None:
    """Neither for the training nor for the check before it; another guild forgets nothing of theirs."""
    check = await _training(queue, guild, FACE, kind=JobKind.CHECK_IMAGES)
    training = await _training(queue, guild, FACE)

    await uploads.forget(other_guild.id, [FACE])
    assert await uploads.are_kept(guild.id, check.id)

    await uploads.forget(guild.id, [FACE])

    assert not await uploads.are_kept(guild.id, check.id)
    assert not await uploads.are_kept(guild.id, training.id)


async def test_another_kind_of_job_keeps_its_file(uploads: TrainingUploads, queue: JobQueue, guild: Guild) -> None:
    """A file of /edit is no upload for training, though its bytes are the same."""
    edit = await _training(queue, guild, FACE, kind=JobKind.IMAGINE)

    await uploads.forget(guild.id, [FACE])

    assert not await uploads.are_kept(guild.id, edit.id)
    assert await uploads.forget_old(0) == 0


async def test_files_go_some_time_after_their_job_ended(
    uploads: TrainingUploads, queue: JobQueue, guild: Guild, clock: FakeClock
) -> None:
    """However it ended, and none before its time."""
    old = await _training(queue, guild, FACE, FOX)
    clock.advance(60)
    young = await _training(queue, guild, FOX)

    assert await uploads.forget_old(60) == 2

    assert not await uploads.are_kept(guild.id, old.id)
    assert await uploads.are_kept(guild.id, young.id)


async def test_jobs_of_a_training_go_with_every_check_of_its_files(
    uploads: TrainingUploads, queue: JobQueue, guild: Guild
) -> None:
    """Other trainings, and checks of other files, stay."""
    await _training(queue, guild, FACE, key="1-check", kind=JobKind.CHECK_IMAGES)
    await _training(queue, guild, FACE, key="1-mine")
    other = await _training(queue, guild, FOX, key="1-other")
    other_check = await _training(queue, guild, FOX, key="1-look", kind=JobKind.CHECK_IMAGES)

    await uploads.delete_jobs(guild.id, "1-mine")

    assert {job.id for job in await queue.guild_jobs(guild.id)} == {other.id, other_check.id}
