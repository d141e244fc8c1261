"""A file that a member attached to a command; its link expires, so it is read at once."""

from collections.abc import AsyncGenerator
from typing import Final

import aiohttp
import discord

from bot.discord.picture_menu import is_discords
from handlers.offered_file import OfferedFile
from pipeline.errors import UserError

_CHUNK: Final = 2**20


def offered(attachment: discord.Attachment) -> OfferedFile:
    """The attachment, to be read from Discord's own file servers alone."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        if not is_discords(attachment.url):
            raise UserError("This file does not lie with Discord; attach it again.")
        try:
            data = await attachment.read()
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError):
            raise UserError("Discord did not give out this file; attach it again.") from None
        # discord.py reads it whole; in pieces it is stored without holding up everybody else's answers.
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]

    return OfferedFile(name=attachment.filename, size=attachment.size, chunks=chunks)
