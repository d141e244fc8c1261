"""Uploads of images to Slack: three steps, then a look whether Slack has processed them."""

import asyncio
from dataclasses import dataclass
from typing import Final

import aiohttp

from bot.slack.client import RateLimitedClient
from handlers.messages.message import Attachment, ShownImage

_ALT_TEXT: Final = 1000
_FIRST_LOOK_SECONDS: Final = 0.25
_LOOKS: Final = 4
_PATIENT_LOOKS: Final = 7


_PASSING: Final = {408, 425, 429}


class UploadRefused(Exception):
    """Slack does not take the bytes of a file, and never will."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads without a channel, so that an image is visible only in the message that shows it."""

    _session: aiohttp.ClientSession

    async def upload(self, client: RateLimitedClient, images: tuple[ShownImage, ...]) -> tuple[str, ...]:
        """Upload images and return their files' ids, which Slack may not have processed; raises its own errors."""
        if not images:
            return ()
        file_ids = tuple([await self._send_image(client, image) for image in images])
        titles: list[dict[str, str | None]] = [
            {"id": file_id, "title": image.file_name} for file_id, image in zip(file_ids, images, strict=True)
        ]
        await client.files_completeUploadExternal(files=titles)
        return file_ids

    async def ready(self, client: RateLimitedClient, file_ids: tuple[str, ...], *, patient: bool = False) -> bool:
        """Whether Slack has processed the files, after a few looks: a message that shows one before is refused."""
        looks = _PATIENT_LOOKS if patient else _LOOKS
        for file_id in file_ids:
            if not await _is_ready(client, file_id, looks):
                return False
        return True

    async def share(self, client: RateLimitedClient, channel: str, words: str, files: tuple[Attachment, ...]) -> None:
        """Post files that are no images into a conversation, below a few words."""
        tickets: list[dict[str, str | None]] = []
        for file in files:
            ticket = await client.files_getUploadURLExternal(filename=file.file_name, length=len(file.data))
            await self._send(ticket["upload_url"], file.data)
            tickets.append({"id": ticket["file_id"], "title": file.file_name})
        await client.files_completeUploadExternal(files=tickets, channel_id=channel, initial_comment=words)

    async def _send_image(self, client: RateLimitedClient, image: ShownImage) -> str:
        ticket = await client.files_getUploadURLExternal(
            filename=image.file_name, length=len(image.data), alt_txt=image.alt_text[:_ALT_TEXT]
        )
        await self._send(ticket["upload_url"], image.data)
        return str(ticket["file_id"])

    async def _send(self, url: str, data: bytes) -> None:
        async with self._session.post(url, data=data) as answer:
            if 400 <= answer.status < 500 and answer.status not in _PASSING:
                raise UploadRefused(f"Slack answered an upload with {answer.status}")
            answer.raise_for_status()


async def _is_ready(client: RateLimitedClient, file_id: str, looks: int) -> bool:
    for look in range(looks):
        await asyncio.sleep(_FIRST_LOOK_SECONDS * 2**look)
        if (await client.files_info(file=file_id))["file"].get("mimetype"):
            return True
    return False
