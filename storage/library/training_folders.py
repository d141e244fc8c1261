"""Deletes the folders of trainings that have ended."""

import asyncio
import shutil
from pathlib import Path
from typing import Final

from sqlalchemy import select

from storage.database import Database
from storage.queue.jobs import OPEN_STATES, JobKind
from storage.tables import job_loras, jobs

CLASS_IMAGES: Final = "classes"
"""The folder among them that all trainings share."""


async def sweep_training_folders(database: Database, folder: Path) -> int:
    """Deletes each folder in `folder` that no open training makes; returns how many trainings' folders went."""
    # A job is there before its folder, so one that is listed and has no open job has ended.
    found = await asyncio.to_thread(lambda: [path for path in folder.glob("*") if path.name != CLASS_IMAGES])
    if not found:
        return 0
    open_trainings = (jobs.c.kind == JobKind.TRAIN, jobs.c.state.in_(OPEN_STATES))
    query = select(job_loras.c.lora_key).join(jobs, jobs.c.id == job_loras.c.job_id).where(*open_trainings)
    async with database.read() as connection:
        named = set((await connection.scalars(query)).all())
    gone = [path for path in found if path.name not in named]
    for path in gone:
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
    return len(gone)
