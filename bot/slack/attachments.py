"""Files that members attach, fetched from Slack's own file host only."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.errors import code_of
from handlers.commands.attachments import OfferedFile
from pipeline.errors import UserError

SLACK_FILES: Final = "https://files.slack.com"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=30)
_CHUNK: Final = 2**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """Fetches a file with the workspace's token, which is sent to `origin` and nowhere else."""

    session: aiohttp.ClientSession
    origin: str = SLACK_FILES

    def offered(self, handed: Mapping[str, Any], client: AsyncWebClient) -> OfferedFile:
        """A file of any kind that came with a form; Slack is asked for its URL when it is fetched."""

        async def chunks() -> AsyncGenerator[bytes, None]:
            try:
                file = (await client.files_info(file=str(handed["id"])))["file"]
            except SlackApiError as error:
                raise UserError(
                    f"Slack does not tell of that file ({code_of(error)}); upload it again, "
                    "or ask an admin to add files:read to Limner."
                ) from error
            async with aclosing(self.chunks(file, client.token or "")) as found:
                async for chunk in found:
                    yield chunk

        return OfferedFile(name=str(handed.get("name") or "file"), size=int(handed.get("size") or 0), chunks=chunks)

    async def chunks(self, file: Mapping[str, Any], token: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a file that `files.info` describes, in pieces; raises UserError where it cannot be fetched."""
        if file.get("is_external") or file.get("mode") == "external":
            raise UserError("Slack only links to that file; upload the file itself.")
        url = str(file.get("url_private_download") or file.get("url_private") or "")
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            raise UserError("That file does not lie with Slack; upload the file itself.")
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self.session.get(url, headers=headers, allow_redirects=False, timeout=_TIMEOUT) as answer:
                if answer.status != 200:
                    raise UserError(f"Slack does not give out that file ({answer.status}); upload it again.")
                first = await answer.content.read(_CHUNK)
                _check_no_page(answer.content_type, first)
                yield first
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UserError("Slack did not give out that file in time; try again.") from error


def _check_no_page(kind: str, start: bytes) -> None:
    """Raise UserError for a sign-in page, with which Slack answers 200 where the token may not read the file."""
    if kind == "text/html" or start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise UserError(
            "Slack asked for a sign-in instead of giving out the file; an admin can add files:read to Limner."
        )
