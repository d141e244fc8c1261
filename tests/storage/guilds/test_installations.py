"""Installations: encrypted texts by tenant, the same on SQLite and PostgreSQL."""

import pytest

from storage.database import Database
from storage.guilds.installations import Installations
from storage.platform import Platform


@pytest.fixture
def installations(database: Database) -> Installations:
    return Installations(database)


async def test_the_newest_text_of_a_tenant_stands(installations: Installations) -> None:
    """A rotated token takes the place of the old one, and no other tenant's."""
    await installations.save(Platform.SLACK, "T1", "old")
    await installations.save(Platform.SLACK, "T1", "new")
    await installations.save(Platform.SLACK, "T2", "other")

    assert await installations.find(Platform.SLACK, "T1") == "new"
    assert await installations.tenants(Platform.SLACK) == ("T1", "T2")
    assert await installations.tenants(Platform.DISCORD) == ()

    await installations.delete(Platform.SLACK, "T1")
    await installations.delete(Platform.SLACK, "T2")
    assert await installations.find(Platform.SLACK, "T1") is None
