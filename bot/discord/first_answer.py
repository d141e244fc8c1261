"""The first answer to an interaction, which Discord takes once: one that took effect counts as given."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import discord

from bot.discord.error_codes import DiscordRefusal
from bot.discord.errors import refusal_of

_log = logging.getLogger(__name__)


@contextmanager
def first_answer(interaction: discord.Interaction[Any]) -> Iterator[None]:
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
        # What comes next must be a follow-up, and discord.py learns that from an answer alone.
        interaction.response._response_type = discord.InteractionResponseType.deferred_message_update  # noqa: SLF001
