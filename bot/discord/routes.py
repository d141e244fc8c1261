"""The routes by which a message can reach the requester, from the best to the last."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import discord

from bot.discord.live_interactions import LiveInteractions
from bot.discord.rendering import DiscordMessage, snowflake
from storage.queue.reply_address import ReplyAddress

DEFAULT_FILE_LIMIT = 10 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: `send` posts or edits and returns the message's id; `limit` is the most bytes a file may have.

    `notifies` says that the message is new, so that a mention in it notifies; `by_token` that it is sent by the token
    of an interaction; `direct` that the member alone reads it. `remove` takes away the message that the route edits.
    """

    name: str
    send: Callable[[DiscordMessage, str], Awaitable[str]]
    limit: int
    notifies: bool
    by_token: bool = False
    direct: bool = False
    remove: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Finds the routes to an address: the live interaction, our message, the channel, its parent, a direct message."""

    client: discord.Client
    live: LiveInteractions

    def to(self, address: ReplyAddress) -> Iterator[Route]:
        """Every route to `address`; a private message never goes where others can read it."""
        interaction = self.live.get(address.message_id)
        if interaction is not None:
            yield self._edit_answer(interaction)
        if not address.private:
            place = address.thread_id or address.channel_id
            if address.message_id is not None:
                yield self._edit_status(place, address.message_id)
            yield self._post("channel" if address.thread_id is None else "thread", place)
            if address.thread_id is not None:
                yield self._post("parent channel", address.channel_id)
        yield self._direct(address.user_id)

    def new_posts(self, address: ReplyAddress) -> Iterator[Route]:
        """Every route that makes a new message, for what did not fit into the first."""
        interaction = self.live.get(address.message_id)
        if address.private and interaction is not None:
            yield self._follow_up(interaction)
        yield from (route for route in self.to(address) if route.notifies)

    def editing(self, address: ReplyAddress) -> Route | None:
        """The route to bring the status message up to date, if there is one."""
        return next((route for route in self.to(address) if not route.notifies), None)

    def _edit_answer(self, interaction: discord.Interaction[Any]) -> Route:
        async def send(rendering: DiscordMessage, _nonce: str) -> str:
            return str((await interaction.edit_original_response(**rendering.as_edit())).id)

        limit, remove = interaction.filesize_limit, interaction.delete_original_response
        return Route(name="deferred answer", send=send, limit=limit, notifies=False, by_token=True, remove=remove)

    def _follow_up(self, interaction: discord.Interaction[Any]) -> Route:
        async def send(rendering: DiscordMessage, _nonce: str) -> str:
            return str((await interaction.followup.send(**rendering.as_new(), ephemeral=True, wait=True)).id)

        limit = interaction.filesize_limit
        return Route(name="follow-up", send=send, limit=limit, notifies=True, by_token=True)

    def _edit_status(self, place: str, message_id: str) -> Route:
        message = self._channel(place).get_partial_message(int(message_id))

        async def send(rendering: DiscordMessage, _nonce: str) -> str:
            return str((await message.edit(**rendering.as_edit())).id)

        limit = self._limit(place)
        return Route(name="status message", send=send, limit=limit, notifies=False, remove=message.delete)

    def _post(self, name: str, place: str) -> Route:
        async def send(rendering: DiscordMessage, nonce: str) -> str:
            return str((await self._channel(place).send(**rendering.as_new(), nonce=nonce)).id)

        return Route(name=name, send=send, limit=self._limit(place), notifies=True)

    def _direct(self, user_id: str) -> Route:
        async def send(rendering: DiscordMessage, nonce: str) -> str:
            channel = await direct_channel(self.client, user_id)
            return str((await channel.send(**rendering.as_new(), nonce=nonce)).id)

        return Route(name="direct message", send=send, limit=DEFAULT_FILE_LIMIT, notifies=True, direct=True)

    def _channel(self, place: str) -> discord.PartialMessageable:
        return self.client.get_partial_messageable(int(place))

    def _limit(self, place: str) -> int:
        channel = self.client.get_channel(int(place))
        guild = getattr(channel, "guild", None)
        return guild.filesize_limit if isinstance(guild, discord.Guild) else DEFAULT_FILE_LIMIT


async def direct_channel(client: discord.Client, user_id: str) -> discord.DMChannel:
    """The channel of direct messages with a member."""
    return await client.create_dm(snowflake(user_id))
