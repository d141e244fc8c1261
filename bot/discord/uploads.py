"""Pictures within Discord's size limits: as they are, else as WebP, else in several messages, else a sentence."""

import asyncio
import io
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final

from PIL import Image

from handlers.messages.message import Message, ShownPicture

MAX_REQUEST_BYTES: Final = 24 * 2**20
"""What all files of one message may take: Discord refuses requests above 25 MiB, and the rest of it needs room."""

MAX_FILES: Final = 10
_QUALITIES: Final = (95, 80, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcels:
    """The pictures in as many messages as they need, and a sentence for each that no message can hold."""

    messages: tuple[tuple[ShownPicture, ...], ...]
    refusals: tuple[str, ...]


async def pack(pictures: tuple[ShownPicture, ...], limit: int) -> Parcels:
    """Pack `pictures` so that no file is above `limit` bytes; encoding runs beside the event loop."""
    if len(pictures) <= MAX_FILES and _fits(pictures, limit):
        return Parcels(messages=(pictures,), refusals=())
    return await asyncio.to_thread(_pack_smaller, pictures, limit)


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


def _fits(pictures: tuple[ShownPicture, ...], limit: int) -> bool:
    sizes = [len(picture.data) for picture in pictures]
    return sum(sizes) <= MAX_REQUEST_BYTES and max(sizes, default=0) <= limit


def _pack_smaller(pictures: tuple[ShownPicture, ...], limit: int) -> Parcels:
    share = MAX_REQUEST_BYTES // max(1, min(len(pictures), MAX_FILES))
    kept, refusals = [], []
    for picture in pictures:
        smaller = _within(picture, min(limit, share)) or _within(picture, limit)
        if smaller is None:
            size = f"{len(picture.data) / 2**20:.1f} of {limit / 2**20:.0f} MB"
            refusals.append(
                f"{picture.file_name} is too large for this server: {size}. It is kept, and /history names its job; "
                "ask for a smaller size."
            )
        else:
            kept.append(smaller)
    return Parcels(messages=_grouped(kept) or ((),), refusals=tuple(refusals))


def _within(picture: ShownPicture, limit: int) -> ShownPicture | None:
    """The picture in at most `limit` bytes: as it is, or as the best WebP that is small enough."""
    if len(picture.data) <= limit:
        return picture
    name = PurePath(picture.file_name).stem + ".webp"
    with Image.open(io.BytesIO(picture.data)) as image:
        for quality in _QUALITIES:
            file = io.BytesIO()
            image.save(file, "WEBP", quality=quality)
            if file.tell() <= limit:
                return replace(picture, data=file.getvalue(), file_name=name)
    return None


def _grouped(pictures: list[ShownPicture]) -> tuple[tuple[ShownPicture, ...], ...]:
    groups: list[list[ShownPicture]] = []
    for picture in pictures:
        if not groups or len(groups[-1]) == MAX_FILES or _bytes(groups[-1]) + len(picture.data) > MAX_REQUEST_BYTES:
            groups.append([])
        groups[-1].append(picture)
    return tuple(tuple(group) for group in groups)


def _bytes(pictures: list[ShownPicture]) -> int:
    return sum(len(picture.data) for picture in pictures)
