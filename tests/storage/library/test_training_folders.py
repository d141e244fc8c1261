"""The folder of a training is deleted once the training has ended, on every database."""

from pathlib import Path

from storage.database import Database
from storage.guilds.guilds import Guild
from storage.library.training_folders import CLASS_IMAGES, sweep_training_folders
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import JobKind
from tests.new_jobs import new_job


async def test_only_folders_of_open_trainings_stay(
    database: Database, queue: JobQueue, guild: Guild, tmp_path: Path
) -> None:
    """And the class images, which all trainings share."""
    await queue.enqueue(new_job(guild.id, kind=JobKind.TRAIN, loras=("1-open",)))
    ended = await queue.enqueue(new_job(guild.id, kind=JobKind.TRAIN, loras=("1-ended",)))
    await queue.enqueue(new_job(guild.id, kind=JobKind.IMAGINE, loras=("1-other",)))
    await queue.cancel(guild.id, ended.id)
    for name in ("1-open", "1-ended", "1-other", CLASS_IMAGES):
        (tmp_path / "trainings" / name).mkdir(parents=True)
        (tmp_path / "trainings" / name / "latents.pt").touch()

    assert await sweep_training_folders(database, tmp_path / "trainings") == 2

    assert {path.name for path in (tmp_path / "trainings").iterdir()} == {"1-open", CLASS_IMAGES}


async def test_a_missing_folder_is_no_error(database: Database, tmp_path: Path) -> None:
    """Nothing was trained here yet."""
    assert await sweep_training_folders(database, tmp_path / "trainings") == 0
