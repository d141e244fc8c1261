"""What can be done with a picture that stands in a message: read how it was made."""

from typing import Any, Final
from urllib.parse import urlsplit

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.discord.front_desk import FrontDesk
from handlers.info import picture_info
from handlers.message import Message
from pipeline.errors import UserError

MAX_BYTES: Final = 25 * 2**20
HOSTS: Final = {"cdn.discordapp.com", "media.discordapp.net"}


def add_picture_menu(tree: app_commands.CommandTree[Any], desk: FrontDesk) -> None:
    """Add the message commands to `tree`."""

    async def info(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        async def read() -> Message:
            return picture_info(await read_picture(message))

        await desk.say(interaction, read)

    tree.add_command(
        app_commands.ContextMenu(
            name=locale_str("Picture info"),
            callback=info,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
    )


async def read_picture(message: discord.Message) -> bytes:
    """The bytes of the first picture in `message`; raises UserError where there is none that may be read."""
    files = [file for file in message.attachments if (file.content_type or "").startswith("image/")]
    if not files:
        raise UserError("This message holds no picture; use it on one that does.")
    file = files[0]
    if file.size > MAX_BYTES:
        raise UserError(f"The picture is too large to read: {file.size / 2**20:.1f} of {MAX_BYTES / 2**20:.0f} MB.")
    if not is_discords(file.url):
        raise UserError("This picture does not lie with Discord; send it as a file.")
    try:
        return await file.read()
    except (discord.NotFound, discord.Forbidden):
        raise UserError("Discord no longer has this picture; send it again.") from None


def is_discords(url: str) -> bool:
    """Whether `url` leads to Discord: its file servers, or the server that stands in for it (DISCORD_API_BASE)."""
    host = urlsplit(url).hostname
    return host in HOSTS or host == urlsplit(discord.http.Route.BASE).hostname
