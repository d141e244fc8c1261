"""Which of our guilds an interaction belongs to; the last read of each is in memory, for answers that cannot wait."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import discord

from handlers.commands.context import AppContext
from pipeline.errors import UserError
from storage.guilds.guilds import Guild
from storage.platform import Platform

DIRECT: Final = "dm-"
"""How the external id of the guild begins that a member's direct messages are."""


@dataclass(slots=True, kw_only=True)
class DiscordGuilds:
    """Discord's guilds by their external ids; the direct messages of each member are a guild of their own.

    `application_id` is the bot's own, since another may serve the same guilds.
    """

    context: AppContext
    application_id: str = ""
    _last_read: dict[str, Guild] = field(default_factory=dict)

    def remembered(self, interaction: discord.Interaction[Any]) -> Guild | None:
        """The interaction's guild as it was last read, or None before the first time; no database is asked."""
        return self._last_read.get(_external_id(interaction))

    async def open(self, application_id: str) -> None:
        """Be the bot of that application, and remember every guild that it serves."""
        self.application_id = application_id
        for guild in await self.context.connections.guilds(Platform.DISCORD, application_id):
            with suppress(UserError):
                self.context.allowed_guilds.check(Platform.DISCORD, guild.external_id)
                self._last_read[guild.external_id] = guild

    async def read(self, interaction: discord.Interaction[Any]) -> Guild:
        """The interaction's guild, read now."""
        name = interaction.guild.name if interaction.guild is not None else interaction.user.name
        return await self.ensure(_external_id(interaction), name)

    async def ensure(self, external_id: str, name: str) -> Guild:
        """The guild of that external id, stored and connected when it is new; raises UserError if not to be served."""
        self.context.allowed_guilds.check(Platform.DISCORD, external_id)
        known, guild = self._last_read.get(external_id), None
        if known is not None and known.name == name:
            # Asked for each time: another process may have learnt that we left and came back.
            guild = await self.context.connections.find(known.id, self.application_id)
        if guild is None:
            guild = await self.context.guilds.ensure(Platform.DISCORD, external_id, name)
            await self.context.connections.connect(guild.id, self.application_id)
        self._last_read[external_id] = guild
        return guild

    async def meet(self, present: Mapping[str, str]) -> None:
        """Take note of the servers that we are in, names by ids, and of those that removed us while we were away.

        A server that is down has no name, and keeps the one that it had.
        """
        for external_id, name in present.items():
            if name or external_id not in self._last_read:
                with suppress(UserError):  # not to be served, as anyone who asks there is told
                    await self.ensure(external_id, name)
        for external_id in set(self._last_read) - set(present):
            if not external_id.startswith(DIRECT):
                await self.remove(external_id)

    async def remove(self, external_id: str) -> None:
        """Record that we were removed from a server, whose data is kept for a while, and longer by other bots in it."""
        guild = self._last_read.pop(external_id, None)
        if guild is not None:
            await self.context.connections.disconnect(guild.id, self.application_id)


def _external_id(interaction: discord.Interaction[Any]) -> str:
    """The server's id, or a name for the member's direct messages."""
    return str(interaction.guild_id) if interaction.guild_id is not None else f"{DIRECT}{interaction.user.id}"
