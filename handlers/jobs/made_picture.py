"""A job's picture that needs no device: a sheet that the worker drew, or that a training left."""

import io
from dataclasses import dataclass

from PIL import Image

from pipeline.requests.image_request import ImageRequest
from storage.blobs import BlobStore
from storage.queue.images import NewPicture
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePicture:
    """A `png` that is what its job was for; `device_seconds` is what it cost, `note` is kept beside it."""

    png: bytes
    device_seconds: float = 0.0
    note: str = ""


Prepared = ImageRequest | MadePicture
"""What a preparation ends in."""


async def record_made(made: MadePicture, claim: Claim, queue: JobQueue, blobs: BlobStore) -> None:
    """Make it the job's picture, and the job done."""
    with Image.open(io.BytesIO(made.png)) as picture:
        width, height = picture.size
    blob = await blobs.put(made.png)
    row = NewPicture(index=0, blob=blob, width=width, height=height, seed=0, parameters=made.note)
    await queue.record_picture(claim, row)
    await queue.settle(claim, Done(device_seconds=made.device_seconds))
