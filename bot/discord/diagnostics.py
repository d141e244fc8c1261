"""What `limner doctor` checks on Discord: the token, the servers, and the bot's permissions in their channels."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import discord

from bot.assembly.diagnostics import Observation
from bot.assembly.settings import Settings
from bot.discord.app import logged_in
from bot.discord.errors import FAULTS, reason_of
from bot.discord.members import missing_permissions
from pipeline.errors import UserError

_SHOWN_SERVERS: Final = 25
_INVITE: Final = "run limner discord-invite and open the link as an admin of a server"


async def examine_discord(settings: Settings) -> AsyncIterator[Observation]:
    """Check the token, then each server; nothing is changed and nothing is posted."""
    try:
        async with logged_in(settings) as client:
            guilds = [guild async for guild in client.fetch_guilds(limit=None)]
            words = f"token valid ({client.user}), {len(guilds)} servers; no privileged intent is needed"
            yield Observation(words=words, advice="" if guilds else _INVITE)
            for guild in guilds[:_SHOWN_SERVERS]:
                yield await _server(client, guild.id)
            if len(guilds) > _SHOWN_SERVERS:
                yield Observation(words=f"{len(guilds) - _SHOWN_SERVERS} more servers, not looked at")
    except UserError as error:
        yield Observation(words="not connected", advice=str(error))
    except FAULTS as error:
        yield Observation(words=f"Discord does not answer all ({reason_of(error)})", advice="run limner doctor again")


async def _server(client: discord.Client, guild_id: int) -> Observation:
    """What the bot may do in the text channels of a server that it can see."""
    guild = await client.fetch_guild(guild_id)
    me = await guild.fetch_member(client.user.id if client.user else 0)
    channels = [channel for channel in await guild.fetch_channels() if isinstance(channel, discord.TextChannel)]
    lacking = {channel.name: missing_permissions(channel.permissions_for(me)) for channel in channels}
    closed = {name: names for name, names in lacking.items() if names}
    if not closed:
        return Observation(words=f"server '{guild.name}': may post in all of {len(channels)} channels")
    names = _named(name for names in closed.values() for name in names)
    words = f"server '{guild.name}': lacks {names} in {len(closed)} of {len(channels)} channels"
    role = me.top_role.name if me.top_role.is_bot_managed() else "Limner"
    advice = f"Server settings, Roles, {role}: allow {names}; or in the channel's own settings, Permissions: #"
    return Observation(words=words, advice=advice + ", #".join(list(closed)[:5]))


def _named(names: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(names))
