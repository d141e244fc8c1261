"""An image that a member hands over with a command: checked, stripped of what its file tells, and kept."""

import asyncio
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from handlers.images.outpaint import Direction, widened
from pipeline.images.input_image import read_image


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedImage:
    """`key` finds its plain PNG in the blob store; `mask` is the key of one, white where it is transparent or new."""

    key: str
    size: tuple[int, int]
    mask: str | None


async def attached_image(file: AttachedFile, option: str, context: AppContext) -> AttachedImage:
    """The image in the file given for `option`; raises InvalidRequest for a file that is none, or too large."""
    data = await context.blobs.get(file.blob)
    image = await asyncio.to_thread(read_image, data, option, context.max_upload_bytes)
    return await _handed(image.rgb, None if image.alpha is None else ImageOps.invert(image.alpha), context)


async def with_more_around(
    image: AttachedImage, direction: Direction, amount: int, context: AppContext
) -> AttachedImage:
    """The image on a canvas `amount` percent larger towards `direction`, what is new being its mask."""
    inner = await asyncio.to_thread(read_image, await context.blobs.get(image.key))
    return await _handed(*await asyncio.to_thread(widened, inner.rgb, direction, amount), context)


async def _handed(image: Image.Image, mask: Image.Image | None, context: AppContext) -> AttachedImage:
    kept = None if mask is None else await _keep(mask, context)
    return AttachedImage(key=await _keep(image, context), size=image.size, mask=kept)


async def _keep(image: Image.Image, context: AppContext) -> str:
    """Store the pixels alone: where and with what a photograph was taken is nobody's business."""
    file = io.BytesIO()
    await asyncio.to_thread(image.save, file, "PNG")
    return await context.blobs.put(file.getvalue())
