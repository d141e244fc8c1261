"""The connection to Discord: gateway, guilds, buttons, the publication of commands."""

import asyncio
import logging
import re
from typing import Any, Final

import discord
import yarl
from discord import ui

from bot.discord.answers import first_answer
from bot.discord.attachments import Download, downloaded
from bot.discord.auth_status import AuthStatus
from bot.discord.guilds import DiscordGuilds
from bot.discord.inbox import DiscordInbox, keep_payloads
from bot.discord.interactions import DiscordInteractionHandler
from bot.discord.live_interactions import LiveInteractions
from bot.discord.members import missing_permissions
from bot.discord.modal import DiscordModalState
from bot.discord.publication import CommandPublication
from bot.discord.rendering import render
from bot.discord.routes import Routes
from bot.discord.translations import Translations
from bot.discord.tree import build_tree, report
from handlers.buttons import read_button_id
from handlers.commands.context import AppContext
from handlers.messages.message import Message, Mood
from pipeline.errors import UserError

_log = logging.getLogger(__name__)


class LimnerClient(discord.AutoShardedClient):
    """Receives interactions, and the joining and leaving of guilds; it asks Discord for nothing else."""

    def __init__(
        self,
        context: AppContext,
        *,
        gateway_url: str | None = None,
        download: Download = downloaded,
        **options: Any,
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            # A longer wait is raised, so that what is to be posted elsewhere does not wait with it.
            max_ratelimit_timeout=30.0,
            **options,
        )
        self.context = context
        self.live = LiveInteractions()
        self.auth_status = AuthStatus()
        self.known_guilds = DiscordGuilds(context=context)
        self.inbox = DiscordInbox(inbox=context.inbox)
        self.handler = DiscordInteractionHandler(
            context=context, guilds=self.known_guilds, live=self.live, inbox=self.inbox, download=download
        )
        keep_payloads(self._connection.parsers)
        self.tree = build_tree(self, self.handler)
        self.publication = CommandPublication(tree=self.tree, notes=context.notes)
        self._publishing: asyncio.Task[None] | None = None
        self._gateway_url = gateway_url

    async def setup_hook(self) -> None:
        """Before the gateway: remember the guilds, make the buttons work, begin to publish the commands."""
        await self.known_guilds.open(str(self.application_id))
        self.add_dynamic_items(PressedButton)
        await self.tree.set_translator(Translations())
        if self._publishing is None or self._publishing.done():
            # Beside the gateway, since members have the commands of before.
            self._publishing = asyncio.create_task(self.publication.run(self.application_id or 0))
        if self._gateway_url is not None:
            # A client that knows its number of shards takes the default address.
            discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self._gateway_url)
            self.shard_count, _, _ = await self.http.get_bot_gateway()

    async def close(self) -> None:
        """Close the connection, and publish no more."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        await super().close()

    async def on_ready(self) -> None:
        """Store the guilds that we are in."""
        await self.known_guilds.meet({str(guild.id): guild.name for guild in self.guilds})
        _log.info("Discord: ready as %s in %d guilds", self.user, len(self.guilds))

    async def resume(self, stale_seconds: float) -> None:
        """Take up the interactions that nobody answers, once the guilds are known."""
        if self.is_ready():
            await self.inbox.resume(self._connection.parsers, Routes(client=self, live=self.live), stale_seconds)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """A guild invited us; one that is not to be served is told whom to ask."""
        try:
            await self.known_guilds.ensure(str(guild.id), guild.name)
        except UserError as refusal:
            await _tell(guild, refusal)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """A guild removed us; discord.py reports an outage by another event."""
        await self.known_guilds.remove(str(guild.id))

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Forms, and what is none of ours, are answered here; commands and buttons find their handlers alone."""
        custom_id = str(dict(interaction.data or {}).get("custom_id"))
        match interaction.type:
            case discord.InteractionType.modal_submit if modal := DiscordModalState.read(custom_id):
                await self._submit(interaction, modal)
            case discord.InteractionType.modal_submit:
                await _refuse_foreign(interaction)
            case discord.InteractionType.component if not PressedButton.is_ours(custom_id):
                await _refuse_foreign(interaction)

    async def _submit(self, interaction: discord.Interaction[Any], modal: DiscordModalState) -> None:
        try:
            await self.handler.submit(interaction, modal)
        except Exception as error:
            await report(self.handler, interaction, error)


async def _tell(guild: discord.Guild, refusal: UserError) -> None:
    """Say it in the first channel where we may write; in none, the first command says it."""
    for channel in filter(None, (guild.system_channel, *guild.text_channels)):
        if missing_permissions(channel.permissions_for(guild.me)):
            continue
        try:
            await channel.send(**render(Message(headline=str(refusal), mood=Mood.CALM)).as_new())
        except discord.HTTPException as error:
            _log.info("a server could not be told that it is not served: %s", error)
        return


_BUTTON: Final = re.compile(r"v1:[a-z-]+:\d+:\d+", re.ASCII)


async def _refuse_foreign(interaction: discord.Interaction[Any]) -> None:
    with first_answer(interaction):
        await interaction.response.send_message(
            "This is of another version of Limner; use a newer message, or type the command.", ephemeral=True
        )


class PressedButton(ui.DynamicItem[ui.Button[Any]], template=_BUTTON):
    """Any button that we ever posted, found again by its id, after weeks and restarts."""

    @classmethod
    def is_ours(cls, custom_id: str) -> bool:
        """Whether the id may be that of a button."""
        return _BUTTON.fullmatch(custom_id) is not None

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - discord.py's signature
        item: ui.Item[Any],
        match: re.Match[str],  # noqa: ARG003 - as above
    ) -> "PressedButton":
        """The button that was clicked."""
        assert isinstance(item, ui.Button)
        return cls(item)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the button says."""
        client = interaction.client
        assert isinstance(client, LimnerClient)
        pressed = read_button_id(self.custom_id)
        if pressed is None:
            await _refuse_foreign(interaction)
            return
        try:
            await client.handler.press(interaction, pressed)
        except Exception as error:
            await report(client.handler, interaction, error)
