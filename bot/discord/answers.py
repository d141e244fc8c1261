"""How an interaction is answered: acknowledged first, then with a message, in several or in a whisper."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import discord

from bot.discord.error_codes import DiscordRefusal
from bot.discord.errors import WAITING, refusal_of
from bot.discord.rendering import render
from bot.discord.routes import DEFAULT_FILE_LIMIT, direct_channel
from bot.discord.uploads import pack
from handlers.commands.actions import SendDirect
from handlers.messages.message import Message, Mood
from handlers.messages.refusal import refusal
from pipeline.errors import UserError
from pipeline.images.image_process import ImageProcesses
from pipeline.processes.fair_turns import Share

_log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]


@contextmanager
def first_answer(interaction: Interaction) -> Iterator[None]:
    """Give the first answer in the block.

    Discord may answer 500 to a request that it carried out; discord.py sends it again, and is told that the interaction
    has been answered.
    """
    try:
        yield
    except discord.HTTPException as error:
        if refusal_of(error, by_token=True) is not DiscordRefusal.ANSWERED:
            raise
        _log.info("an answer took effect although Discord said otherwise")
        _note_answered(interaction)


async def first_message(interaction: Interaction) -> discord.InteractionMessage | None:
    """The message of the first answer, which another process gave; None where there was none, or it is gone."""
    with suppress(discord.NotFound):
        message = await interaction.original_response()
        _note_answered(interaction)
        return message
    return None


def is_ephemeral(interaction: Interaction) -> bool:
    """Whether the clicked message is one that the member alone sees."""
    return interaction.message is not None and interaction.message.flags.ephemeral


async def defer(interaction: Interaction, *, private: bool) -> str:
    """Acknowledge and return the id of the message that will hold the answer."""
    response = None
    with first_answer(interaction):
        response = await interaction.response.defer(ephemeral=private, thinking=True)
    if response is not None and response.message_id is not None:
        return str(response.message_id)
    return str((await interaction.original_response()).id)


async def refuse_at_once(interaction: Interaction, error: UserError) -> None:
    """Show the error to the member alone, as the first answer."""
    with first_answer(interaction):
        await interaction.response.send_message(**render(_refusal(error)).as_new(), ephemeral=True)


async def tell(interaction: Interaction, error: UserError) -> None:
    """Show the error to the member alone, whether or not there was an answer before."""
    if interaction.response.is_done():
        await interaction.followup.send(**render(_refusal(error)).as_new(), ephemeral=True)
    else:
        await refuse_at_once(interaction, error)


async def delete_answer(interaction: Interaction) -> None:
    """Delete the answer; one that is gone already was deleted, by an earlier try or by the member."""
    with suppress(discord.NotFound):
        await interaction.delete_original_response()


async def delete_parts(interaction: Interaction, message_ids: tuple[str, ...]) -> int:
    """Delete the further messages of the clicked result; returns how many could not be deleted."""
    left = 0
    place = interaction.client.get_partial_messageable(interaction.channel_id or 0)
    for message_id in message_ids:
        try:
            await place.get_partial_message(int(message_id)).delete()
        except discord.NotFound:
            left += is_ephemeral(interaction)  # the bot cannot see those; any other is gone
        except discord.HTTPException as error:
            _log.info("a part of a result stays: %s", error)
            left += 1
    return left


def share_of(interaction: Interaction) -> Share:
    """By whom fair turns are counted: the server, and the member in it."""
    return str(interaction.guild_id or 0), str(interaction.user.id)


async def show(interaction: Interaction, message: Message, images: ImageProcesses) -> None:
    """Answer in place of the acknowledgement, with images that do not fit into one message in further ones.

    Those that are too large for Discord are made smaller by one of `images`.
    """
    packed = await pack(message.images, interaction.filesize_limit, images, share_of(interaction))
    first, *rest = packed.messages
    whole = replace(message, images=first, lines=(*message.lines, *packed.refusals))
    await interaction.edit_original_response(**render(whole).as_edit())
    for further in rest:
        part = Message(headline=message.headline, images=further)
        await interaction.followup.send(**render(part).as_new(), ephemeral=True)


async def whisper(interaction: Interaction, message: Message) -> None:
    """Answer privately after a public acknowledgement.

    The first follow-up replaces the acknowledgement and is as public, so that one is answered and then deleted.
    """
    await interaction.edit_original_response(**render(Message(headline="Answered privately.")).as_edit())
    await interaction.followup.send(**render(message).as_new(), ephemeral=True)
    await delete_answer(interaction)


async def send_direct(interaction: Interaction, result: SendDirect, images: ImageProcesses) -> None:
    """Write to the member directly; where Discord does not let us, show it here, to them alone."""
    packed = await pack(result.message.images, DEFAULT_FILE_LIMIT, images, share_of(interaction))
    message = replace(result.message, lines=(*result.message.lines, *packed.refusals))
    try:
        channel = await direct_channel(interaction.client, str(interaction.user.id))
        for part in packed.messages:
            await channel.send(**render(replace(message, images=part)).as_new())
    except discord.HTTPException as error:
        if refusal_of(error, by_token=False) in WAITING:
            raise
        _log.info("a direct message is not taken: %s", error)
        await show(interaction, result.message, images)
    else:
        await interaction.edit_original_response(**render(Message(headline=result.sent)).as_edit())


async def refuse(interaction: Interaction, error: UserError, *, private: bool) -> None:
    """Show the error to the member alone; a public acknowledgement is deleted first."""
    if private:
        await interaction.edit_original_response(**render(_refusal(error)).as_edit())
    else:
        await whisper(interaction, _refusal(error))


def _refusal(error: UserError) -> Message:
    return Message(headline=refusal(error), mood=Mood.FAILED, private=True)


def _note_answered(interaction: Interaction) -> None:
    """What comes next must be a follow-up, and discord.py learns that from an answer alone."""
    interaction.response._response_type = discord.InteractionResponseType.deferred_message_update  # noqa: SLF001
