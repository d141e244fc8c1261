"""Guilds, their settings and their audit entries, on every database."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from storage.database import Database
from storage.guilds.audit import AuditLog
from storage.guilds.connections import Connections
from storage.guilds.guilds import Guild, GuildSettings, GuildStore
from storage.platform import Platform
from storage.queue.images import NewImage
from storage.queue.job_queue import JobQueue
from tests.fakes import FakeClock
from tests.new_jobs import Enqueue

SETTINGS = GuildSettings(
    default_model="sdxl",
    max_pixels=512 * 512,
    max_steps=30,
    private_by_default=True,
    allowed_channels=("c1", "c2"),
    command_roles=(("train", ("r1", "r2")), ("lora", ())),
)


@pytest.fixture
def audit_log(database: Database) -> AuditLog:
    return AuditLog(database)


async def test_guild_is_stored_once(guilds: GuildStore) -> None:
    """Ensuring a guild twice gives one guild, under its newest name, with the settings of the start."""
    first = await guilds.ensure(Platform.DISCORD, "1", "Old name")
    second = await guilds.ensure(Platform.DISCORD, "1", "New name")

    assert (second.id, second.name, second.settings) == (first.id, "New name", GuildSettings())
    assert await guilds.get(first.id) == second
    assert await guilds.find(Platform.DISCORD, "1") == second
    assert await guilds.find(Platform.SLACK, "1") is None


async def test_same_number_on_two_platforms_is_two_guilds(guilds: GuildStore) -> None:
    """A platform's id means nothing on another platform."""
    discord = await guilds.ensure(Platform.DISCORD, "1", "A")
    slack = await guilds.ensure(Platform.SLACK, "1", "A")

    assert discord.id != slack.id


async def test_unknown_guild_is_none(guilds: GuildStore) -> None:
    """A guild that was never seen is None, not an error."""
    assert await guilds.get(12345) is None


async def test_settings_come_back_whole(guilds: GuildStore, guild: Guild) -> None:
    """Every setting survives the database, tuples and all."""
    await guilds.save_settings(guild.id, SETTINGS, "admin")

    stored = await guilds.get(guild.id)
    assert stored is not None
    assert stored.settings == SETTINGS


async def test_changes_are_audited(guilds: GuildStore, guild: Guild, audit_log: AuditLog, clock: FakeClock) -> None:
    """The entry names who changed which setting from what to what, and only those that changed."""
    await guilds.save_settings(guild.id, GuildSettings(max_steps=30), "ann")

    (entry,) = await audit_log.entries(guild.id)
    assert (entry.actor, entry.action, entry.at) == ("ann", "settings", clock.now)
    assert entry.detail == "max_steps: 50 → 30"


async def test_of_two_changes_at_once_neither_is_lost(guilds: GuildStore, guild: Guild) -> None:
    """Two admins on two platforms' processes: each changes what there is, not what was read before."""

    def with_channel(name: str, old: GuildSettings) -> GuildSettings:
        return replace(old, allowed_channels=(*old.allowed_channels, name))

    await asyncio.gather(
        *(guilds.change_settings(guild.id, partial(with_channel, name), "ann") for name in ("art", "lab", "zoo"))
    )

    stored = await guilds.get(guild.id)
    assert stored is not None
    assert sorted(stored.settings.allowed_channels) == ["art", "lab", "zoo"]


async def test_saving_the_same_settings_is_no_change(guilds: GuildStore, guild: Guild, audit_log: AuditLog) -> None:
    """Nothing is audited when nothing changed."""
    await guilds.save_settings(guild.id, GuildSettings(), "ann")

    assert await audit_log.entries(guild.id) == ()


async def test_purge_deletes_what_is_the_guilds(
    guilds: GuildStore, connections: Connections, guild: Guild, clock: FakeClock, queue: JobQueue, enqueue: Enqueue
) -> None:
    """After the period of grace a guild goes with its jobs and images."""
    job = await enqueue()
    claim = await queue.claim("worker-1")
    assert claim is not None
    await queue.record_image(claim, NewImage(index=0, blob="a" * 64, width=8, height=8, seed=1, parameters="fox"))
    await connections.connect(guild.id, "bot")
    await connections.disconnect(guild.id, "bot")

    clock.now += 99
    assert await guilds.purge(100) == 0
    clock.now += 1
    assert await guilds.purge(100) == 1

    assert await guilds.get(guild.id) is None
    assert await queue.get(guild.id, job.id) is None
    assert await queue.images(guild.id, job.id) == ()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("max pixels", {"max_pixels": 100}),
        ("max pixels", {"max_pixels": 10**9}),
        ("max steps", {"max_steps": 0}),
        ("max count", {"max_count": 5}),
        ("max guidance", {"max_guidance": 31}),
        ("max LoRA scale", {"max_lora_scale": 11}),
    ],
)
def test_limit_out_of_range_names_field_and_limit(field: str, changes: dict[str, Any]) -> None:
    """A cap that the pipeline cannot keep is refused, with its name and what it may be."""
    with pytest.raises(InvalidRequest, match=rf"{field} is \d+; use \d+ to \d+\.") as raised:
        GuildSettings(**changes)

    assert raised.value.field == field


def test_command_without_roles_is_open() -> None:
    """A command that no admin restricted asks for no role."""
    settings = GuildSettings(command_roles=(("train", ("r1",)),))

    assert (settings.roles_for("train"), settings.roles_for("imagine")) == (("r1",), ())
