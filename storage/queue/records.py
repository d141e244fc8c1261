"""Rows become the dataclasses that leave this folder."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Row

from storage.queue.images import StoredImage
from storage.queue.jobs import Job, JobKind, JobState

_JOB_FIELDS = tuple(field.name for field in fields(Job))


def job_of(row: Row[Any]) -> Job:
    """The job in a row that has the columns of `jobs`."""
    values = {name: getattr(row, name) for name in _JOB_FIELDS}
    return Job(**{**values, "kind": JobKind(row.kind), "state": JobState(row.state)})


def image_of(row: Row[Any]) -> StoredImage:
    """The picture in a row of `images`."""
    return StoredImage(
        id=row.id,
        job_id=row.job_id,
        index=row.position,
        blob=row.blob,
        width=row.width,
        height=row.height,
        seed=row.seed,
        parameters=row.parameters,
        created_at=row.created_at,
        nsfw=row.nsfw,
    )
