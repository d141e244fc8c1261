"""Which guilds are served: all, or those that the person who runs Limner lists."""

from dataclasses import dataclass
from typing import Final, Self

from pipeline.errors import UserError
from storage.platform import Platform

_LISTED: Final = frozenset({Platform.DISCORD, Platform.SLACK})
"""The platforms where anyone may invite us; a terminal is its user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedGuilds:
    """The platforms' own ids of the guilds that are served; with none, all are."""

    ids: frozenset[tuple[Platform, str]] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The guilds of a setting such as "discord:123, slack:T123"; raises UserError."""
        return cls(ids=frozenset(_entry(part.strip()) for part in text.split(",") if part.strip()))

    def check(self, platform: Platform, external_id: str, *, organisation: str | None = None) -> None:
        """Raise UserError, saying whom to ask, unless the guild is served, or the organisation that it belongs to."""
        if platform not in _LISTED or not self.ids:
            return
        if not any(name and (platform, name.casefold()) in self.ids for name in (external_id, organisation)):
            raise UserError(
                "Limner is not open to this place; ask the person who runs it to add "
                f"{platform}:{external_id} to LIMNER_GUILDS."
            )


def _entry(text: str) -> tuple[Platform, str]:
    name, _, external_id = (part.strip().casefold() for part in text.partition(":"))
    if name not in _LISTED or not external_id:
        raise UserError(
            f"LIMNER_GUILDS: '{text:.60}' is unclear; write discord:123 or slack:T123, separated by commas."
        )
    return Platform(name), external_id
