"""A picture that a member hands over with a command: checked, stripped of what its file tells, and kept."""

import asyncio
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from handlers.commands.call import Call
from handlers.context.context import Studio
from handlers.images.outpaint import Direction, widened
from pipeline.images.input_image import read_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedPicture:
    """`key` finds its plain PNG in the blob store; `mask` is the key of one, white where it is transparent or new."""

    key: str
    size: tuple[int, int]
    mask: str | None


async def handed_picture(call: Call, option: str, studio: Studio) -> HandedPicture | None:
    """The picture given for `option`, or None; raises InvalidRequest for a file that is none, or too large."""
    file = call.arguments.file(option)
    if file is None:
        return None
    data = await studio.blobs.get(file.blob)
    picture = await asyncio.to_thread(read_picture, data, option, studio.max_upload_bytes)
    return await _handed(picture.rgb, None if picture.alpha is None else ImageOps.invert(picture.alpha), studio)


async def with_more_around(picture: HandedPicture, direction: Direction, amount: int, studio: Studio) -> HandedPicture:
    """The picture on a canvas `amount` percent larger towards `direction`, what is new being its mask."""
    inner = await asyncio.to_thread(read_picture, await studio.blobs.get(picture.key))
    return await _handed(*await asyncio.to_thread(widened, inner.rgb, direction, amount), studio)


async def _handed(picture: Image.Image, mask: Image.Image | None, studio: Studio) -> HandedPicture:
    kept = None if mask is None else await _keep(mask, studio)
    return HandedPicture(key=await _keep(picture, studio), size=picture.size, mask=kept)


async def _keep(picture: Image.Image, studio: Studio) -> str:
    """Store the pixels alone: where and with what a photograph was taken is nobody's business."""
    file = io.BytesIO()
    await asyncio.to_thread(picture.save, file, "PNG")
    return await studio.blobs.put(file.getvalue())
