"""Who speaks on Discord and where answers go, in our words."""

from typing import Any, Final

import discord

from handlers.commands.call import Member
from pipeline.errors import UserError
from storage.platform import Platform
from storage.queue.reply_address import ReplyAddress

NEEDED: Final = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "attach_files": "Attach Files",
    "embed_links": "Embed Links",
}
"""What the bot must be allowed where pictures are posted: discord.py's name, and the one that admins see."""

_MAY_BE_RESTRICTED: Final = (discord.TextChannel, discord.Thread, discord.VoiceChannel, discord.StageChannel)
_IN_THREADS: Final = {"send_messages": ("send_messages_in_threads", "Send Messages in Threads")}


def member_of(interaction: discord.Interaction[Any]) -> Member:
    """The one who speaks; in direct messages everybody is their own admin."""
    user, allowed = interaction.user, interaction.permissions
    alone = interaction.guild_id is None
    return Member(
        id=str(user.id),
        name=user.display_name,
        is_admin=alone or allowed.manage_guild or allowed.administrator,
        manages_messages=alone or allowed.manage_messages or allowed.administrator,
        roles=tuple(str(role.id) for role in user.roles) if isinstance(user, discord.Member) else (),
    )


def address_of(interaction: discord.Interaction[Any], message_id: str | None, *, private: bool) -> ReplyAddress:
    """Where the answer goes, in values that outlive the interaction's token."""
    channel_id, thread_id = str(interaction.channel_id), None
    if isinstance(interaction.channel, discord.Thread):
        channel_id, thread_id = str(interaction.channel.parent_id), channel_id
    return ReplyAddress(
        platform=Platform.DISCORD,
        channel_id=channel_id,
        thread_id=thread_id,
        user_id=str(interaction.user.id),
        message_id=message_id,
        private=private,
        locale=str(interaction.locale),
        age_restricted=_is_age_restricted(interaction.channel),
    )


def _is_age_restricted(channel: object) -> bool:
    """Whether Discord lets only adults into the channel; a thread is as the channel around it, a direct message not."""
    return isinstance(channel, _MAY_BE_RESTRICTED) and channel.is_nsfw()


def is_installed(interaction: discord.Interaction[Any]) -> bool:
    """Whether the bot is a member where this comes from, or speaks with the member alone."""
    return interaction.is_guild_integration() or not interaction.is_user_integration()


def check_install(interaction: discord.Interaction[Any]) -> None:
    """Refuse the contexts in which the bot is no member: it could not post what it promised. Raises UserError."""
    if not is_installed(interaction):
        raise UserError("Limner works in servers that invited it; ask an admin of this one to add it.")


def check_target(interaction: discord.Interaction[Any]) -> None:
    """Refuse before any device works if the result could not be posted here; raises UserError naming what to allow."""
    if interaction.guild_id is None:
        return
    in_thread = isinstance(interaction.channel, discord.Thread)
    lacking = missing_permissions(interaction.app_permissions, in_thread=in_thread)
    if lacking:
        names = " and ".join(f"'{name}'" for name in lacking)
        raise UserError(f"Limner may not post pictures here; ask an admin to allow it {names} in this channel.")


def missing_permissions(allowed: discord.Permissions, *, in_thread: bool = False) -> list[str]:
    """The permissions that the bot lacks, by the names that admins see."""
    lacking = []
    for attribute, name in NEEDED.items():
        attribute, name = _IN_THREADS.get(attribute, (attribute, name)) if in_thread else (attribute, name)  # noqa: PLW2901 - a thread asks for its own
        if not getattr(allowed, attribute):
            lacking.append(name)
    return lacking
