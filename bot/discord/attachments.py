"""Files on Discord's servers: attached to a command, or chosen in a message; their links expire."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import discord

from handlers.commands.attachments import OfferedFile
from pipeline.errors import UserError
from storage.queue.pending_calls import ChosenFile

HOSTS: Final = {"cdn.discordapp.com", "media.discordapp.net"}
_CHUNK: Final = 2**20


def offered(attachment: discord.Attachment) -> OfferedFile:
    """The file that a member attached to a command."""
    return _offered(attachment.filename, attachment.size, attachment.url, attachment.read)


def chosen(file: ChosenFile, client: discord.Client) -> OfferedFile:
    """The file that a member chose in a message a moment ago."""
    return _offered(file.name, file.size, file.place, partial(client.http.get_from_cdn, file.place))


def is_discords(url: str) -> bool:
    """Whether `url` leads to Discord: its file servers, or the server that stands in for it (DISCORD_API_BASE)."""
    host = urlsplit(url).hostname
    return host in HOSTS or host == urlsplit(discord.http.Route.BASE).hostname


def _offered(name: str, size: int, url: str, read: Callable[[], Awaitable[bytes]]) -> OfferedFile:
    """The file at `url`, to be read from Discord's own file servers alone."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        if not is_discords(url):
            raise UserError("This file does not lie with Discord; attach it again.")
        try:
            data = await read()
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError):
            raise UserError("Discord did not give out this file; attach it again.") from None
        # discord.py reads the file whole; storing it in pieces does not block other answers.
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]

    return OfferedFile(name=name, size=size, chunks=chunks)
