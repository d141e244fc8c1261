"""Images within Discord's size limits: as they are, else as WebP, else in several messages, else a sentence."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Final

from handlers.messages.message import Message, ShownImage
from pipeline.images.image_process import CompressImage, ImageProcesses
from pipeline.processes.fair_turns import Share

MAX_REQUEST_BYTES: Final = 24 * 2**20
"""How large all files of one message may be: Discord refuses requests above 25 MiB, which hold more than the files."""

MAX_FILES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedImages:
    """The images in as many messages as they need, and a sentence for each image that no message can hold."""

    messages: tuple[tuple[ShownImage, ...], ...]
    refusals: tuple[str, ...]


async def pack(images: tuple[ShownImage, ...], limit: int, processes: ImageProcesses, share: Share) -> PackedImages:
    """Pack `images` so that no file is above `limit` bytes; what is too large is encoded in a process of its own."""
    if len(images) <= MAX_FILES and _fits(images, limit):
        return PackedImages(messages=(images,), refusals=())
    most = MAX_REQUEST_BYTES // max(1, min(len(images), MAX_FILES))
    kept, refusals = [], []
    for image in images:
        smaller = await _smaller(image, limit, min(limit, most), processes, share)
        if smaller is None:
            size = f"{len(image.data) / 2**20:.1f} of {limit / 2**20:.0f} MB"
            refusals.append(
                f"{image.file_name} is too large for this server: {size}. It is kept, and /history names its job; "
                "ask for a smaller size."
            )
        else:
            kept.append(smaller)
    return PackedImages(messages=_grouped(kept) or ((),), refusals=tuple(refusals))


def with_fitting_files(message: Message, limit: int) -> Message:
    """The message with a sentence in place of each file above `limit` bytes, or above what a request may hold."""
    most = min(limit, MAX_REQUEST_BYTES)
    refusals = tuple(
        f"{file.file_name} is {len(file.data) / 2**20:.1f} MB, and Discord takes {most / 2**20:.0f} MB here."
        for file in message.files
        if len(file.data) > most
    )
    fitting = tuple(file for file in message.files if len(file.data) <= most)
    return replace(message, files=fitting, lines=(*message.lines, *refusals))


def _fits(images: tuple[ShownImage, ...], limit: int) -> bool:
    sizes = [len(image.data) for image in images]
    return sum(sizes) <= MAX_REQUEST_BYTES and max(sizes, default=0) <= limit


async def _smaller(
    image: ShownImage, limit: int, wanted: int, processes: ImageProcesses, share: Share
) -> ShownImage | None:
    """The image in at most `wanted` bytes or else in `limit`: as it is, or as the best WebP that is small enough."""
    if len(image.data) <= wanted:
        return image
    name = PurePath(image.file_name).stem + ".webp"
    with TemporaryDirectory() as folder:
        order = CompressImage(
            source=Path(folder, "image.png"), target=Path(folder, "image.webp"), most_bytes=(wanted, limit)
        )
        order.source.write_bytes(image.data)
        if await processes.compress(order, share):
            return replace(image, data=order.target.read_bytes(), file_name=name)
    return image if len(image.data) <= limit else None


def _grouped(images: list[ShownImage]) -> tuple[tuple[ShownImage, ...], ...]:
    groups: list[list[ShownImage]] = []
    for image in images:
        if not groups or len(groups[-1]) == MAX_FILES or _bytes(groups[-1]) + len(image.data) > MAX_REQUEST_BYTES:
            groups.append([])
        groups[-1].append(image)
    return tuple(tuple(group) for group in groups)


def _bytes(images: list[ShownImage]) -> int:
    return sum(len(image.data) for image in images)
