"""The periodic duties, each a small function of its own; the bot schedules them."""

import logging
from pathlib import Path
from typing import Final

from storage.blobs import BlobStore
from storage.database import Database
from storage.guilds.guilds import GuildStore
from storage.guilds.retention import delete_old_jobs
from storage.library.blob_gc import collect_blobs
from storage.library.lora_files import sweep_lora_files
from storage.library.training_folders import sweep_training_folders
from storage.library.training_uploads import TrainingUploads
from storage.queue.deduplication import Deduplication
from storage.queue.inbox import Inbox
from storage.queue.job_queue import JobQueue
from storage.queue.pending_calls import SavedCalls

_log = logging.getLogger(__name__)

_DAY: Final = 86_400.0
_BLOB_GRACE_SECONDS: Final = 3600.0
_LORA_GRACE_SECONDS: Final = 6 * 3600.0
_GUILD_GRACE_SECONDS: Final = 30 * _DAY
_OFFER_SECONDS: Final = 7 * _DAY
_REPEATED_SECONDS: Final = 25 * 3600.0
"""Slack may send an event again for a day; by then nobody is left who could answer what is still open."""
_HANDED_SECONDS: Final = _DAY


async def rescue_jobs(queue: JobQueue, stale_seconds: float) -> None:
    """Give the jobs of workers that were silent for `stale_seconds` back to the queue."""
    for job_id in await queue.rescue(stale_seconds):
        _log.warning("rescued from a worker that fell silent", extra={"job": job_id})


async def apply_retention(database: Database, keep_days: int) -> None:
    """Delete finished jobs and their images once they are older than `keep_days`."""
    count = await delete_old_jobs(database, keep_days * _DAY)
    _log.info("retention deleted %d jobs", count)


async def sweep_blobs(database: Database, blobs: BlobStore) -> None:
    """Delete blobs that nothing refers to."""
    count = await collect_blobs(database, blobs, _BLOB_GRACE_SECONDS)
    _log.info("blob collection deleted %d blobs", count)


async def sweep_loras(database: Database, folder: Path) -> None:
    """Delete the files of LoRAs that were removed, and what broken imports left."""
    count = await sweep_lora_files(database, folder, _LORA_GRACE_SECONDS)
    _log.info("deleted %d files of removed LoRAs", count)


async def sweep_trainings(database: Database, handed: TrainingUploads, folder: Path) -> None:
    """Delete what trainings left that ended, and the images that were handed over for none."""
    files = await handed.forget_old(_HANDED_SECONDS)
    count = await sweep_training_folders(database, folder)
    _log.info("deleted the folders of %d trainings, forgot %d files", count, files)


async def purge_guilds(guilds: GuildStore) -> None:
    """Delete what belongs to guilds that nobody serves any more, after their grace period."""
    count = await guilds.purge(_GUILD_GRACE_SECONDS)
    _log.info("purged %d guilds that nobody serves", count)


async def forget_offers(clicks: Deduplication, inbox: Inbox, calls: SavedCalls) -> None:
    """Forget the clicks and commands of a moment ago, and the forms and offers that nobody came back to."""
    await clicks.forget_old()
    await inbox.forget_old(_REPEATED_SECONDS)
    await calls.delete_old(_OFFER_SECONDS)
