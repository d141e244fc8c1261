"""Installations: encrypted texts by tenant, the same on SQLite and PostgreSQL."""

import pytest

from storage.database import Database
from storage.guilds.installations import Installations
from storage.platform import Platform


@pytest.fixture
def installations(database: Database) -> Installations:
    return Installations(database, "111.222")


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


async def test_two_applications_in_one_workspace_keep_a_text_each(
    database: Database, installations: Installations
) -> None:
    """The one that is removed takes its own away."""
    other = Installations(database, "333.444")
    await installations.save(Platform.SLACK, "T1", "first")
    await other.save(Platform.SLACK, "T1", "second")

    await other.delete(Platform.SLACK, "T1")

    assert await installations.find(Platform.SLACK, "T1") == "first"
    assert await other.tenants(Platform.SLACK) == ()
