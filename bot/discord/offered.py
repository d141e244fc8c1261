"""A file that a member attached to a command; its link expires, so it is read at once."""

from collections.abc import AsyncGenerator

import aiohttp
import discord

from bot.discord.picture_menu import is_discords
from handlers.offered_file import OfferedFile
from pipeline.errors import UserError


def offered(attachment: discord.Attachment) -> OfferedFile:
    """The attachment, to be read from Discord's own file servers alone."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        if not is_discords(attachment.url):
            raise UserError("This file does not lie with Discord; attach it again.")
        try:
            yield await attachment.read()
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError):
            raise UserError("Discord did not give out this file; attach it again.") from None

    return OfferedFile(name=attachment.filename, size=attachment.size, chunks=chunks)
