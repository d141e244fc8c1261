"""The member of an interaction, where its answer goes, and whether the bot may post there."""

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
"""The permissions that the bot needs where images are posted: discord.py's name, and the one that admins see."""

_MAY_BE_RESTRICTED: Final = (discord.TextChannel, discord.Thread, discord.VoiceChannel, discord.StageChannel)
_IN_THREADS: Final = {"send_messages": ("send_messages_in_threads", "Send Messages in Threads")}


def member_of(interaction: discord.Interaction[Any]) -> Member:
    """The member of the interaction; in direct messages everybody is their own admin."""
    user, allowed = interaction.user, interaction.permissions
    alone = interaction.guild_id is None
    return Member(
        id=str(user.id),
        name=user.display_name,
        is_admin=alone or allowed.manage_guild or allowed.administrator,
        manages_messages=alone or allowed.manage_messages or allowed.administrator,
        roles=tuple(str(role.id) for role in user.roles) if isinstance(user, discord.Member) else (),
    )


async def member_in(guild_id: str, interaction: discord.Interaction[Any]) -> Member:
    """The one who wrote directly, as a member of a server; raises UserError where they or the bot are none."""
    guild = interaction.client.get_guild(int(guild_id))
    if guild is None:
        raise UserError("Limner is no longer in the server where this was made.")
    try:
        found = await guild.fetch_member(interaction.user.id)
    except discord.NotFound:
        raise UserError("You are no longer in the server where this was made.") from None
    allowed = found.guild_permissions
    return Member(
        id=str(found.id),
        name=found.display_name,
        is_admin=allowed.manage_guild or allowed.administrator,
        manages_messages=allowed.manage_messages or allowed.administrator,
        roles=tuple(str(role.id) for role in found.roles),
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
        application_id=str(interaction.application_id),
    )


def _is_age_restricted(channel: object) -> bool:
    """Whether Discord lets only adults into the channel: a thread is like its channel, a direct message is not."""
    return isinstance(channel, _MAY_BE_RESTRICTED) and channel.is_nsfw()


def is_installed(interaction: discord.Interaction[Any]) -> bool:
    """Whether the bot is a member of the interaction's guild, or in a direct message with the member."""
    return interaction.is_guild_integration() or not interaction.is_user_integration()


def check_install(interaction: discord.Interaction[Any]) -> None:
    """Raise UserError where the bot is no member, since it could not post the result there."""
    if not is_installed(interaction):
        raise UserError("Limner works in servers that invited it; ask an admin of this one to add it.")


def check_target(interaction: discord.Interaction[Any]) -> None:
    """Raise UserError, naming the missing permissions, where the result could not be posted."""
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
