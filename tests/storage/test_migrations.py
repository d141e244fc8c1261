"""The migrations lead from nothing to exactly the tables that the code uses."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import storage
from storage.database import Database, MigrationState, migrate, migration_state
from storage.errors import StorageError
from storage.tables import SCHEMA_REVISION

INI = Path(storage.__file__).with_name("alembic.ini")


async def test_migrations_lead_to_the_tables(fresh_url: str) -> None:
    """From an empty database the migrations end at the newest revision, with nothing left for Alembic to add."""
    assert await migration_state(fresh_url) == MigrationState(current=None, head=SCHEMA_REVISION)

    await migrate(fresh_url)

    assert await migration_state(fresh_url) == MigrationState(current=SCHEMA_REVISION, head=SCHEMA_REVISION)
    await _check(fresh_url)


async def _check(url: str) -> None:
    def check(connection: Connection) -> None:
        command.check(Config(str(INI), attributes={"connection": connection}))

    engine = _engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(check)
    await engine.dispose()


async def test_processes_that_start_together_migrate_once(fresh_url: str) -> None:
    """Several starts at the same moment wait for each other instead of failing."""
    await asyncio.gather(*(migrate(fresh_url) for _ in range(3)))

    database = await Database.open(fresh_url)
    await database.close()


@pytest.mark.parametrize("revision", ["0001", "0012"])
async def test_data_from_before_the_first_schema_is_refused(fresh_url: str, revision: str) -> None:
    """In one sentence, by the migration and by whatever opens it; nothing is changed."""
    await migrate(fresh_url)
    engine = _engine(fresh_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    await engine.dispose()

    with pytest.raises(StorageError, match="begin with an empty data folder"):
        await migrate(fresh_url)
    with pytest.raises(StorageError, match="begin with an empty data folder"):
        await Database.open(fresh_url)
    assert (await migration_state(fresh_url)).current == revision


def _engine(url: str) -> AsyncEngine:
    driver = "sqlite+aiosqlite" if url.startswith("sqlite") else "postgresql+asyncpg"
    return create_async_engine(url.replace(url.partition(":")[0], driver, 1))


def test_revision_in_the_code_is_the_newest_migration() -> None:
    """The revision that opening a database compares with is the one that the migrations end at."""
    assert ScriptDirectory.from_config(Config(str(INI))).get_current_head() == SCHEMA_REVISION


@pytest.mark.slow
def test_alembic_works_from_the_command_line(empty_sqlite: Path) -> None:
    """Alembic's own command finds its files from any folder and has nothing to add."""
    alembic = [sys.executable, "-m", "alembic", "-c", str(INI), "-x", f"url=sqlite:///{empty_sqlite}", "check"]

    result = subprocess.run(alembic, cwd="/", capture_output=True, text=True, check=False)  # noqa: S603 # our own words

    assert (result.returncode, "No new upgrade operations" in result.stdout) == (0, True), result.stderr
