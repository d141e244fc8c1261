"""The interactions whose tokens are still valid, in memory only: an answer edited through one needs no permission."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import discord

TOKEN_SECONDS: Final = 14 * 60.0
"""Discord's tokens live for 15 minutes; the last minute is left for answers that are on their way."""


@dataclass(slots=True)
class LiveInteractions:
    """Interactions by the message that answers them, each for as long as its token is valid.

    The time since an interaction came is what counts: the wall clock here need not agree with Discord's.
    """

    clock: Callable[[], float] = time.monotonic
    _interactions: dict[str, tuple[float, discord.Interaction[Any]]] = field(default_factory=dict)

    def add(self, message_id: str, interaction: discord.Interaction[Any], age: float = 0.0) -> None:
        """Add the interaction of that `age` which `message_id` answers, and drop those whose token has expired."""
        oldest = self.clock() - TOKEN_SECONDS
        self._interactions = {key: kept for key, kept in self._interactions.items() if kept[0] > oldest}
        self._interactions[message_id] = (self.clock() - age, interaction)

    def get(self, message_id: str | None) -> discord.Interaction[Any] | None:
        """The interaction that `message_id` answers, while its token is valid."""
        came, interaction = self._interactions.get(message_id or "", (float("-inf"), None))
        return interaction if self.clock() - came < TOKEN_SECONDS else None

    def drop(self, message_id: str | None) -> None:
        """Drop an interaction: its token is no longer valid, or its answer is final."""
        self._interactions.pop(message_id or "", None)
