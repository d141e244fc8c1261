"""Images that a member attaches, and the request that comes of them."""

import io

from PIL import Image

from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from handlers.jobs.payloads import REQUEST
from handlers.messages.message import Message
from pipeline.requests.image_request import ImageRequest
from storage.guilds.guilds import Guild


async def attached(context: AppContext, image: Image.Image, kind: str = "PNG", **options: object) -> AttachedFile:
    file = io.BytesIO()
    image.save(file, kind, **options)
    blob = await context.blobs.put(file.getvalue())
    return AttachedFile(blob=blob, name="fox.png", size=len(file.getvalue()))


async def queued(context: AppContext, guild: Guild, message: Message) -> ImageRequest:
    job = await context.queue.get(guild.id, message.job_id or 0)
    assert job is not None
    return REQUEST.read(job.payload)


def photo(size: tuple[int, int] = (400, 200)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")
