"""A job's recorded pictures as a message shows them."""

import re

from handlers.job_title import job_title
from handlers.message import ShownPicture
from handlers.studio import Studio
from storage.jobs import Job
from storage.pictures import Picture


async def shown_pictures(job: Job, studio: Studio) -> tuple[ShownPicture, ...]:
    """The pictures of `job` that are recorded, with their bytes."""
    title = job_title(job)
    pictures = await studio.queue.pictures(job.guild_id, job.id)
    return tuple([await _shown(picture, title, studio) for picture in pictures])


async def _shown(picture: Picture, title: str, studio: Studio) -> ShownPicture:
    return ShownPicture(
        data=await studio.blobs.get(picture.blob),
        file_name=f"{file_stem(title)}-{picture.job_id}-{picture.index + 1}.png",
        alt_text=title,
    )


def file_stem(prompt: str) -> str:
    """A short file name from a prompt: letters, digits and dashes only."""
    words = re.findall(r"[a-z0-9]+", prompt.casefold())
    return "-".join(words)[:40].strip("-") or "picture"
