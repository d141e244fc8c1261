"""The interactions whose tokens are still valid, in memory only: an answer edited through one needs no permission."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import discord

TOKEN_LIFE: Final = timedelta(minutes=14)
"""Discord's tokens live for 15 minutes; the last minute is left for answers that are on their way."""


@dataclass(slots=True)
class LiveInteractions:
    """Interactions by the message that answers them, each for as long as its token is valid."""

    _interactions: dict[str, discord.Interaction[Any]] = field(default_factory=dict)

    def add(self, message_id: str, interaction: discord.Interaction[Any]) -> None:
        """Add the interaction that `message_id` answers, and drop those whose token has expired."""
        self._interactions = {key: kept for key, kept in self._interactions.items() if _lives(kept)}
        self._interactions[message_id] = interaction

    def get(self, message_id: str | None) -> discord.Interaction[Any] | None:
        """The interaction that `message_id` answers, while its token is valid."""
        interaction = self._interactions.get(message_id or "")
        return interaction if interaction is not None and _lives(interaction) else None

    def drop(self, message_id: str | None) -> None:
        """Drop an interaction: its token is no longer valid, or its answer is final."""
        self._interactions.pop(message_id or "", None)


def _lives(interaction: discord.Interaction[Any]) -> bool:
    return discord.utils.utcnow() - interaction.created_at < TOKEN_LIFE
