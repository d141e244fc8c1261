"""Files that members bring: taken from Slack's own file host alone, and only where they are pictures."""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from PIL import Image, UnidentifiedImageError

from pipeline.errors import UserError

MAX_BYTES: Final = 10 * 2**20
SLACK_FILES: Final = "https://files.slack.com"
_MAX_PIXELS: Final = 50_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Fetches a file with the workspace's token, which is sent to `origin` and nowhere else."""

    session: aiohttp.ClientSession
    origin: str = SLACK_FILES

    async def picture(self, file: Mapping[str, Any], token: str) -> bytes:
        """The bytes of a file that `files.info` describes; raises UserError where it is not to be had or no picture."""
        if file.get("is_external") or file.get("mode") == "external":
            raise UserError("Slack only links to that file; upload the picture itself.")
        url = str(file.get("url_private_download") or file.get("url_private") or "")
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            raise UserError("That file does not lie with Slack; upload the picture itself.")
        if int(file.get("size") or 0) > MAX_BYTES:
            raise UserError(_too_large(int(file["size"])))
        data = await self._download(url, token)
        await asyncio.to_thread(_check_picture, data)
        return data

    async def _download(self, url: str, token: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self.session.get(url, headers=headers, allow_redirects=False, timeout=timeout) as answer:
                if answer.status != 200:
                    raise UserError(f"Slack does not give out that file ({answer.status}); upload it again.")
                data = await answer.content.read(MAX_BYTES + 1)
                while len(data) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES + 1 - len(data))):
                    data += more
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UserError("Slack did not give out that file in time; try again.") from error
        if len(data) > MAX_BYTES:
            raise UserError(_too_large(len(data)))
        return data


def _check_picture(data: bytes) -> None:
    """Look inside: the name and the type that came with a file are a stranger's words."""
    if data.lstrip()[:1] == b"<":
        raise UserError(
            "Slack asked for a sign-in instead of giving out the file; an admin can add files:read to Limner."
        )
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise UserError(f"{picture.width}×{picture.height} is too large; use at most 50 megapixels.")
            picture.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError("That file is no picture that can be read; use PNG, JPEG, WebP or GIF.") from error


def _too_large(size: int) -> str:
    return f"That file is too large: {size / 2**20:.1f} of {MAX_BYTES / 2**20:.0f} MB."
