"""Files on Discord's servers: attached to a command, or chosen in a message; their links expire."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import discord

from handlers.commands.attachments import OfferedFile
from pipeline.errors import UserError
from storage.queue.pending_calls import ChosenFile

HOSTS: Final = {"cdn.discordapp.com", "media.discordapp.net"}
_CHUNK: Final = 2**18
_TIMEOUT: Final = aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=30)

Download = Callable[[str], AsyncGenerator[bytes, None]]
"""Fetches the bytes at a URL piece by piece; raises UserError where they are not to be had."""


async def downloaded(url: str) -> AsyncGenerator[bytes, None]:
    """The bytes at a URL of Discord's, of which only a piece is in memory: discord.py would read the file whole."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise not_given()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                yield chunk
    except (aiohttp.ClientError, TimeoutError):
        raise not_given() from None


def not_given() -> UserError:
    """The error for a file that Discord no longer has, or does not give out."""
    return UserError("Discord did not give out this file; attach it again.")


def offered(attachment: discord.Attachment, download: Download) -> OfferedFile:
    """The file that a member attached to a command."""
    return _offered(attachment.filename, attachment.size, attachment.url, download)


def chosen(file: ChosenFile, download: Download) -> OfferedFile:
    """The file that a member chose in a message a moment ago."""
    return _offered(file.name, file.size, file.place, download)


def is_discords(url: str) -> bool:
    """Whether `url` leads to Discord: its file servers, or the server that stands in for it (DISCORD_API_BASE)."""
    host = urlsplit(url).hostname
    return host in HOSTS or host == urlsplit(discord.http.Route.BASE).hostname


def _offered(name: str, size: int, url: str, download: Download) -> OfferedFile:
    """The file at `url`, to be read from Discord's own file servers alone."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        if not is_discords(url):
            raise UserError("This file does not lie with Discord; attach it again.")
        async with aclosing(download(url)) as pieces:
            async for piece in pieces:
                yield piece

    return OfferedFile(name=name, size=size, chunks=chunks)
