"""Guilds, their settings and their audit entries, on every database."""

import pytest

from storage.database import Database
from storage.guilds.audit import AuditLog
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
def audit_log(database: Database, clock: FakeClock) -> AuditLog:
    return AuditLog(database, clock)


async def test_guild_is_stored_once(guilds: GuildStore) -> None:
    """Ensuring a guild twice gives one guild, under its newest name, with the settings of the start."""
    first = await guilds.ensure(Platform.DISCORD, "1", "Old name")
    second = await guilds.ensure(Platform.DISCORD, "1", "New name")

    assert (second.id, second.name, second.settings) == (first.id, "New name", GuildSettings())
    assert await guilds.get(first.id) == second


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


async def test_saving_the_same_settings_is_no_change(guilds: GuildStore, guild: Guild, audit_log: AuditLog) -> None:
    """Nothing is audited when nothing changed."""
    await guilds.save_settings(guild.id, GuildSettings(), "ann")

    assert await audit_log.entries(guild.id) == ()


async def test_audit_pages_newest_first_in_one_guild(guild: Guild, other_guild: Guild, audit_log: AuditLog) -> None:
    """Entries come newest first, go on below an id, and stay in their guild."""
    for number in range(3):
        await audit_log.record(guild.id, "ann", "note", str(number))
    await audit_log.record(other_guild.id, "eve", "note", "elsewhere")

    first = await audit_log.entries(guild.id, limit=2)
    rest = await audit_log.entries(guild.id, limit=2, before=first[-1].id)

    assert [entry.detail for entry in (*first, *rest)] == ["2", "1", "0"]


async def test_purge_deletes_what_is_the_guilds(
    guilds: GuildStore, guild: Guild, other_guild: Guild, clock: FakeClock, queue: JobQueue, enqueue: Enqueue
) -> None:
    """After the period of grace a removed guild goes with its jobs and pictures; others and returned ones stay."""
    job = await enqueue()
    claim = await queue.claim("worker-1")
    assert claim is not None
    await queue.record_image(claim, NewImage(index=0, blob="a" * 64, width=8, height=8, seed=1, parameters="fox"))
    await guilds.mark_removed(guild.id)
    await guilds.mark_removed(other_guild.id)

    clock.now += 99
    assert await guilds.purge(100) == 0
    await guilds.ensure(other_guild.platform, other_guild.external_id, other_guild.name)
    clock.now += 1
    assert await guilds.purge(100) == 1

    assert await guilds.get(guild.id) is None
    assert await queue.get(guild.id, job.id) is None
    assert await queue.images(guild.id, job.id) == ()
    assert await guilds.get(other_guild.id) is not None
