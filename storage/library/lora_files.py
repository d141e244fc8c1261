"""Deletes the canonical LoRA files that nothing needs any more."""

import asyncio
import shutil
from pathlib import Path

from sqlalchemy import select

from storage.database import Database
from storage.library.loras import training_key
from storage.queue.jobs import OPEN_STATES
from storage.tables import job_loras, jobs, loras


async def sweep_lora_files(database: Database, folder: Path, grace_seconds: float) -> int:
    """Deletes the files in `folder` older than `grace_seconds` that no library and no open job needs.

    A library needs a LoRA's file and those of the same training; what was downloaded for it, its job alone needs.
    Returns how many files and folders of broken imports went; the grace must be longer than an import takes.
    """
    old = await asyncio.to_thread(_older, folder, await database.file_time() - grace_seconds)
    if not old:
        return 0
    open_jobs = select(jobs.c.id).where(jobs.c.state.in_(OPEN_STATES))
    in_use = select(job_loras.c.lora_key).where(job_loras.c.job_id.in_(open_jobs))
    async with database.read() as connection:
        to_come = {training_key(key) for key in (await connection.scalars(in_use)).all()}
        needed = to_come | {training_key(key) for key in (await connection.scalars(select(loras.c.key))).all()}
    gone = [path for path in old if training_key(path.stem) not in (to_come if path.is_dir() else needed)]
    for path in gone:
        await asyncio.to_thread(_delete, path)
    return len(gone)


def _older(folder: Path, than: float) -> list[Path]:
    found = [*folder.glob("*.safetensors"), *folder.glob("incoming/*")]
    return [path for path in found if path.stat().st_mtime < than]


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
