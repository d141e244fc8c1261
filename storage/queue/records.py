"""Rows become the dataclasses that leave this folder, and a new job becomes a row."""

from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Row

from storage.queue.fair_share import share_key
from storage.queue.images import StoredImage
from storage.queue.jobs import Job, JobKind, JobState, NewJob

MAX_ATTEMPTS: Final = 3

_JOB_FIELDS = tuple(field.name for field in fields(Job))


def job_of(row: Row[Any]) -> Job:
    """The job in a row that has the columns of `jobs`."""
    values = {name: getattr(row, name) for name in _JOB_FIELDS}
    return Job(**{**values, "kind": JobKind(row.kind), "state": JobState(row.state)})


def image_of(row: Row[Any]) -> StoredImage:
    """The image in a row of `images`."""
    return StoredImage(
        id=row.id,
        job_id=row.job_id,
        index=row.position,
        blob=row.blob,
        width=row.width,
        height=row.height,
        seed=row.seed,
        parameters=row.parameters,
        note=row.note,
        created_at=row.created_at,
        nsfw=row.nsfw,
    )


def new_row(new: NewJob, estimated_seconds: float, now: float) -> dict[str, Any]:
    """The row of `jobs` for a job that is enqueued at second `now` of the database clock."""
    return {
        "guild_id": new.guild_id,
        "member_id": new.member_id,
        "share_key": share_key(new.guild_id, new.member_id),
        "member_name": new.member_name,
        "kind": new.kind,
        "payload": new.payload,
        "state": JobState.QUEUED,
        "attempt": 0,
        "max_attempts": MAX_ATTEMPTS,
        "restarts": 0,
        "cancel_requested": False,
        "step": 0,
        "steps": 0,
        "cost_key": new.cost_key,
        "cost_units": new.cost_units,
        "estimated_seconds": estimated_seconds,
        "token": 0,
        "created_at": now,
        "run_after": now,
    }
