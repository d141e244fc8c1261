"""A picture that a member hands over with a command: checked, stripped of what its file tells, and kept."""

import asyncio
import io
from dataclasses import dataclass

from PIL import Image

from handlers.call import Call
from handlers.studio import Studio
from pipeline.picture_input import InputPicture, read_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedPicture:
    """`key` finds its plain PNG in the blob store; `hole` is the key of a mask, white where it is transparent."""

    key: str
    size: tuple[int, int]
    hole: str | None


async def handed_picture(call: Call, option: str, studio: Studio) -> HandedPicture | None:
    """The picture given for `option`, or None; raises InvalidRequest for a file that is none, or too large."""
    file = call.arguments.file(option)
    if file is None:
        return None
    data = await studio.blobs.get(file.blob)
    picture = await asyncio.to_thread(read_picture, data, option)
    hole = None if picture.alpha is None else await _keep(_inverted(picture), studio)
    return HandedPicture(key=await _keep(picture.rgb, studio), size=picture.size, hole=hole)


def _inverted(picture: InputPicture) -> Image.Image:
    assert picture.alpha is not None, "only a transparent picture has a hole"
    return picture.alpha.point(lambda level: 255 - level)


async def _keep(picture: Image.Image, studio: Studio) -> str:
    """Store the pixels alone: where and with what a photograph was taken is nobody's business."""
    file = io.BytesIO()
    await asyncio.to_thread(picture.save, file, "PNG")
    return await studio.blobs.put(file.getvalue())
