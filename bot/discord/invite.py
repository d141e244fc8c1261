"""The link by which an admin invites the bot: the scopes and permissions that it needs, and no more."""

from typing import Final

import discord

from bot.assembly.settings import Settings
from bot.discord.app import logged_in

PERMISSIONS: Final = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)
"""Discord asks for the right to read history for a reply to a message; nothing is read."""

SCOPES: Final = ("bot", "applications.commands")


async def invite_url(settings: Settings) -> str:
    """The link for the application that DISCORD_TOKEN belongs to; raises UserError."""
    async with logged_in(settings) as client:
        assert client.application_id is not None
        return discord.utils.oauth_url(client.application_id, permissions=PERMISSIONS, scopes=SCOPES)
