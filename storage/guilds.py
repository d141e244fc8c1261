"""A guild, which is a Discord server, a Slack workspace or one person's terminal, and what its admins have set."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import InvalidRequest
from pipeline.image_request import MAX_SIZE, MAX_STEPS, MIN_SIZE
from storage.database import Database


class Platform(StrEnum):
    """Where members write; the value is stored and is part of a guild's identity."""

    DISCORD = "discord"
    SLACK = "slack"
    TERMINAL = "terminal"
    WEB = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """What a guild's admins decide.

    `max_pixels` bounds width times height; `allowed_channels` are channel ids, none meaning all; `command_roles` pairs
    a command's name with the ids of the roles that may use it, a command without a pair being open to everyone.
    Raises InvalidRequest, naming the field and its limit.
    """

    default_model: str | None = None
    max_pixels: int = 1024 * 1024
    max_steps: int = 50
    private_by_default: bool = False
    allowed_channels: tuple[str, ...] = ()
    command_roles: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        for field, value, low, high in (
            ("max pixels", self.max_pixels, MIN_SIZE**2, MAX_SIZE**2),
            ("max steps", self.max_steps, 1, MAX_STEPS),
        ):
            if not low <= value <= high:
                raise InvalidRequest(field, f"{field} is {value}; use {low} to {high}.")

    def roles_for(self, command: str) -> tuple[str, ...]:
        """The ids of the roles that may use `command`; none means everyone."""
        return dict(self.command_roles).get(command, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Guild:
    """A guild as it stood when it was read; `external_id` is the platform's own id for it."""

    id: int
    platform: Platform
    external_id: str
    name: str
    settings: GuildSettings


class GuildStore:
    """The guilds that Limner serves; `clock` tells Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def ensure(self, platform: Platform, external_id: str, name: str) -> Guild:
        """The guild of that external id, stored if it is new, its name brought up to date, its removal undone."""
        raise NotImplementedError

    async def get(self, guild_id: int) -> Guild | None:
        """The guild of that id, or None."""
        raise NotImplementedError

    async def save_settings(self, guild_id: int, settings: GuildSettings, actor: str) -> None:
        """Stores the settings and, in the same transaction, an audit entry that names what `actor` changed."""
        raise NotImplementedError

    async def mark_removed(self, guild_id: int) -> None:
        """Notes that the bot left the guild; `purge` deletes it after a period of grace."""
        raise NotImplementedError

    async def purge(self, older_than_seconds: float) -> int:
        """Deletes guilds removed longer ago than that, with all that is theirs; returns how many."""
        raise NotImplementedError
