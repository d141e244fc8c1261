"""Whether Discord still takes our token: said once in the log, and to /readyz for as long as it lasts."""

import logging
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

REVOKED: Final = (
    "Discord no longer takes DISCORD_TOKEN; copy it again from discord.com/developers, your application, Bot, "
    "and start again. What is owed is kept until then."
)


@dataclass(slots=True)
class AuthStatus:
    """`trouble` is what is wrong with our access to Discord, or None."""

    trouble: str | None = None

    def lose(self, why: str) -> None:
        """Record that Discord no longer accepts our token, for the reason `why`."""
        if self.trouble is None:
            _log.error(why)
        self.trouble = why

    def regain(self) -> None:
        """Record that Discord accepts our token."""
        self.trouble = None
