"""A guild, which is a Discord server, a Slack workspace or one person's terminal, and what its admins have set."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, or_, select, update

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import (
    MAX_COUNT,
    MAX_GUIDANCE_SCALE,
    MAX_LORA_SCALE,
    MAX_SIZE,
    MAX_STEPS,
    MIN_SIZE,
    USUAL_LORA_SCALE,
    Scheduler,
)
from storage.database import Database
from storage.guilds.audit import add_entry
from storage.platform import Platform
from storage.tables import connections, guilds


class NsfwPolicy(StrEnum):
    """Where images that are not for everybody are shown.

    Age-restricted channels show them plainly. Elsewhere they are not shown at all (`restricted`), or hidden until they
    are clicked (`spoiler`). With `refuse` they are shown nowhere.
    """

    RESTRICTED = "restricted"
    SPOILER = "spoiler"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """What a guild's admins decide.

    `max_pixels` bounds width times height, `max_lora_scale` LoRAs below 0 as well; `samplers` are those that may be
    used, none meaning all; `allowed_channels` are channel ids, none meaning all; `command_roles` pairs a command's
    name with the ids of the roles that may use it, a command without a pair being open to everyone; `admins` are the
    ids of members whom an admin made one too; `people` says that they may be trained on.
    Raises InvalidRequest, naming the field and its limit.
    """

    default_model: str | None = None
    default_vae: str | None = None
    max_pixels: int = 1024 * 1024
    max_steps: int = 50
    max_count: int = MAX_COUNT
    max_guidance: float = MAX_GUIDANCE_SCALE
    max_lora_scale: float = USUAL_LORA_SCALE
    samplers: tuple[Scheduler, ...] = ()
    private_by_default: bool = False
    allowed_channels: tuple[str, ...] = ()
    command_roles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    admins: tuple[str, ...] = ()
    nsfw: NsfwPolicy = NsfwPolicy.RESTRICTED
    people: bool = False

    def __post_init__(self) -> None:
        for field, value, low, high in (
            ("max pixels", self.max_pixels, MIN_SIZE**2, MAX_SIZE**2),
            ("max steps", self.max_steps, 1, MAX_STEPS),
            ("max count", self.max_count, 1, MAX_COUNT),
            ("max guidance", self.max_guidance, 1, MAX_GUIDANCE_SCALE),
            ("max LoRA scale", self.max_lora_scale, 1, MAX_LORA_SCALE),
        ):
            if not low <= value <= high:
                raise InvalidRequest(field, f"{field} is {value:.10g}; use {low:.10g} to {high:.10g}.")

    def roles_for(self, command: str) -> tuple[str, ...]:
        """The ids of the roles that may use `command`; none means everyone."""
        return dict(self.command_roles).get(command, ())

    def allows(self, sampler: Scheduler) -> bool:
        """Whether members may use the sampler."""
        return not self.samplers or sampler in self.samplers

    @property
    def roles(self) -> frozenset[str]:
        """The ids of all roles that any command asks for."""
        return frozenset(role for _, roles in self.command_roles for role in roles)


SettingsChange = Callable[[GuildSettings], GuildSettings]

_SETTINGS: Final = TypeAdapter(GuildSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guild:
    """A guild as it was when read; `external_id` is the platform's own id for it."""

    id: int
    platform: Platform
    external_id: str
    name: str
    settings: GuildSettings


class GuildStore:
    """The guilds that Limner serves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, platform: Platform, external_id: str, name: str) -> Guild:
        """The guild of that external id: stored if it is new, else with its name updated."""
        row = {
            "platform": platform,
            "external_id": external_id,
            "name": name,
            "settings": _dump(GuildSettings()),
            "created_at": self._database.clock.wall(),
        }
        statement = self._database.insert(guilds).values(row)
        statement = statement.on_conflict_do_update(index_elements=["platform", "external_id"], set_={"name": name})
        async with self._database.write() as connection:
            return guild_of((await connection.execute(statement.returning(*guilds.c))).one())

    async def get(self, guild_id: int) -> Guild | None:
        """The guild of that id, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(guilds).where(guilds.c.id == guild_id))).one_or_none()
        return None if row is None else guild_of(row)

    async def find(self, platform: Platform, external_id: str) -> Guild | None:
        """The guild of that external id, or None."""
        query = select(guilds).where(guilds.c.platform == platform, guilds.c.external_id == external_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else guild_of(row)

    async def all(self, platform: Platform) -> tuple[Guild, ...]:
        """The platform's guilds that an application serves."""
        served = select(connections.c.guild_id).where(connections.c.removed_at.is_(None))
        query = select(guilds).where(guilds.c.platform == platform, guilds.c.id.in_(served)).order_by(guilds.c.id)
        async with self._database.read() as connection:
            return tuple(guild_of(row) for row in await connection.execute(query))

    async def save_settings(self, guild_id: int, settings: GuildSettings, actor: str) -> None:
        """Stores the settings in place of those that were there, as `change_settings` does."""
        await self.change_settings(guild_id, lambda _: settings, actor)

    async def change_settings(self, guild_id: int, change: SettingsChange, actor: str) -> GuildSettings:
        """Stores what `change` makes of the settings as they are now, so that of two at once neither is lost.

        In the same transaction an audit entry names what `actor` changed. Returns the new settings.
        """
        this = guilds.c.id == guild_id
        async with self._database.write() as connection:
            query = select(guilds).where(this).with_for_update()
            old = guild_of((await connection.execute(query)).one()).settings
            if (settings := change(old)) == old:
                return old
            await connection.execute(update(guilds).where(this).values(settings=_dump(settings)))
            await add_entry(
                connection,
                guild_id=guild_id,
                at=self._database.clock.wall(),
                actor=actor,
                action="settings",
                detail=_changes(old, settings),
            )
        return settings

    async def purge(self, older_than_seconds: float) -> int:
        """Deletes guilds that no application has served for so long, with all that is theirs; returns how many."""
        connected = select(connections.c.guild_id)
        async with self._database.write() as connection:
            since = await self._database.clock.read(connection) - older_than_seconds
            served = connected.where(or_(connections.c.removed_at.is_(None), connections.c.removed_at > since))
            # One without any connection is being stored at this moment.
            gone = guilds.c.id.in_(connected), guilds.c.id.not_in(served)
            return len((await connection.execute(delete(guilds).where(*gone).returning(guilds.c.id))).all())


def guild_of(row: Row[Any]) -> Guild:
    """The guild in a row of the table of guilds."""
    return Guild(
        id=row.id,
        platform=Platform(row.platform),
        external_id=row.external_id,
        name=row.name,
        settings=_SETTINGS.validate_json(row.settings),
    )


def _dump(settings: GuildSettings) -> str:
    return _SETTINGS.dump_json(settings).decode()


def _changes(old: GuildSettings, new: GuildSettings) -> str:
    pairs = ((field.name, getattr(old, field.name), getattr(new, field.name)) for field in fields(GuildSettings))
    return "; ".join(f"{name}: {before} → {after}" for name, before, after in pairs if before != after)
