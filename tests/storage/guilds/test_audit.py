"""Audit entries are added, never changed, and read by page, on every database."""

import pytest

from storage.database import Database
from storage.guilds.audit import AuditLog
from storage.guilds.guilds import Guild
from tests.fakes import FakeClock


@pytest.fixture
def audit_log(database: Database) -> AuditLog:
    return AuditLog(database)


async def test_audit_pages_newest_first_in_one_guild(guild: Guild, other_guild: Guild, audit_log: AuditLog) -> None:
    """Entries come newest first, go on below an id, and stay in their guild."""
    for number in range(3):
        await audit_log.record(guild.id, "ann", "note", str(number))
    await audit_log.record(other_guild.id, "eve", "note", "elsewhere")

    first = await audit_log.entries(guild.id, limit=2)
    rest = await audit_log.entries(guild.id, limit=2, before=first[-1].id)

    assert [entry.detail for entry in (*first, *rest)] == ["2", "1", "0"]


async def test_what_goes_wrong_often_is_noted_once_a_day(
    guild: Guild, other_guild: Guild, audit_log: AuditLog, clock: FakeClock
) -> None:
    """For each guild and each reason of its own."""
    for hours in (0, 23, 25):
        clock.advance(hours * 3600)
        for there, why in ((guild, "no scope"), (guild, "no room"), (other_guild, "no scope")):
            await audit_log.record_daily(there.id, "Limner", "trouble", why)

    assert [entry.detail for entry in await audit_log.entries(guild.id)] == ["no room", "no scope"] * 2
    assert [entry.detail for entry in await audit_log.entries(other_guild.id)] == ["no scope"] * 2
