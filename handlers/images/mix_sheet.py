"""The one picture that a mix of LoRAs shows: drawn by the worker when all the others are recorded."""

import asyncio
import io

from PIL import Image

from handlers.images.grid import MixGrid
from handlers.images.imagine import read_request
from storage.blobs import BlobStore
from storage.queue.images import NewPicture, Picture
from storage.queue.job_queue import Claim, JobQueue
from storage.queue.jobs import Job, JobKind


def is_shown(picture: Picture, job: Job) -> bool:
    """Whether members see the picture: of a mix the sheet alone, which comes after its parts."""
    return job.kind is not JobKind.MIX_LORAS or picture.index == len(MixGrid.of(read_request(job.payload)).pictures)


async def record_sheet(claim: Claim, queue: JobQueue, blobs: BlobStore) -> None:
    """Draw and record the sheet of a mix, unless an earlier attempt did or its pictures were deleted meanwhile."""
    job, grid = claim.job, MixGrid.of(read_request(claim.job.payload))
    made = await queue.pictures(job.guild_id, job.id)
    if len(made) != len(grid.pictures):
        return
    data = await asyncio.to_thread(grid.sheet, [await blobs.get(part.blob) for part in made])
    width, height = Image.open(io.BytesIO(data)).size
    sheet = NewPicture(
        index=len(made), blob=await blobs.put(data), width=width, height=height, seed=grid.request.seed,
        parameters="", mature=any(part.mature for part in made),
    )  # fmt: skip
    await queue.record_picture(claim, sheet)
