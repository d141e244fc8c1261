"""An image that a member hands over with a command: checked, stripped of what its file tells, and kept.

Its file is opened by a process of its own; here it is a name, and its pixels are never in this process's memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest, UserError
from pipeline.images.image_process import KEPT_PIXELS, TakeImage, WidenImage
from pipeline.images.input_image import Ground
from pipeline.images.outpaint import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedImage:
    """`key` finds its plain PNG in the blob store; `mask` one that is white where it is transparent, marked or new.

    `size` is what it was handed over in, `kept_size` what it is kept in. `texts` are those that were asked
    for of its file.
    """

    key: str
    size: tuple[int, int]
    kept_size: tuple[int, int]
    mask: str | None
    texts: Mapping[str, str] = field(default_factory=dict)


async def attached_image(
    file: AttachedFile, option: str, caller: Caller, context: AppContext,
    *, most_pixels: int = KEPT_PIXELS, keywords: tuple[str, ...] = (), ground: Ground = Ground.NONE,
) -> AttachedImage:  # fmt: skip
    """The image in the file given for `option`; raises InvalidRequest for a file that is none, or too large.

    It is kept with no more than `most_pixels`, and of its texts those of `keywords`; `ground` is put under what is
    transparent.
    """
    source = await context.blobs.file(file.blob)
    with TemporaryDirectory() as folder:
        target, mask = Path(folder, "image.png"), Path(folder, "mask.png")
        order = TakeImage(
            source=source,
            target=target,
            mask=mask,
            field=option,
            max_bytes=context.max_upload_bytes,
            most_pixels=most_pixels,
            keywords=keywords,
            ground=ground,
        )
        taken = await context.images.take(order, caller.share)
        kept = await context.blobs.put_file(mask) if taken.has_mask else None
        key = await context.blobs.put_file(target)
        return AttachedImage(key=key, size=taken.size, kept_size=taken.kept_size, mask=kept, texts=taken.texts)


async def with_more_around(
    image: AttachedImage, direction: Direction, amount: int, caller: Caller, context: AppContext
) -> AttachedImage:
    """The image on a canvas `amount` percent larger towards `direction`, what is new being added to its mask."""
    source = await context.blobs.file(image.key)
    hidden = None if image.mask is None else await context.blobs.file(image.mask)
    with TemporaryDirectory() as folder:
        target, mask = Path(folder, "image.png"), Path(folder, "mask.png")
        order = WidenImage(source=source, target=target, mask=mask, direction=direction, amount=amount, hidden=hidden)
        try:
            size = await context.images.widen(order, caller.share)
        except UserError as error:
            raise InvalidRequest("amount", str(error)) from error
        kept = await context.blobs.put_file(mask)
        return AttachedImage(key=await context.blobs.put_file(target), size=size, kept_size=size, mask=kept)
