"""The migrations lead from nothing to exactly the tables that the code uses."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import storage
from storage.database import Database, MigrationState, migrate, migration_state
from storage.queue.job_queue import JobQueue
from storage.tables import SCHEMA_REVISION, loras, member_lanes

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


async def test_queue_survives_the_migrations(fresh_url: str) -> None:
    """A job that an older Limner queued is claimed after the migrations, its member's use unforgotten."""
    await _upgrade(fresh_url, "0003", _OLD_ROWS)

    await migrate(fresh_url)

    database = await Database.open(fresh_url)
    claim = await JobQueue(database).claim("worker-1")
    async with database.read() as connection:
        lanes = (await connection.execute(select(member_lanes.c.score, member_lanes.c.waiting))).all()
    await database.close()
    assert claim is not None
    assert (claim.job.member_id, claim.job.payload) == ("ann", "fox")
    assert lanes == [(pytest.approx(500_000.0, abs=1), 0)]


async def test_what_was_taught_before_is_known_as_a_subject(fresh_url: str) -> None:
    """By what its training wrote of it; a style is none, nor is what was added."""
    await _upgrade(fresh_url, "0010", (_OLD_ROWS[0], *_OLD_LORAS))

    await migrate(fresh_url)

    database = await Database.open(fresh_url)
    async with database.read() as connection:
        subjects = (await connection.execute(select(loras.c.name).where(loras.c.subject))).scalars().all()
    await database.close()
    assert subjects == ["rex"]


_LORA = "guild_id, scope, owner_id, name, base_family, key, size, trigger_words, story, scale, created_at"
_OLD_LORAS = tuple(
    f"INSERT INTO loras ({_LORA}) "  # noqa: S608 # our own words
    f"VALUES (7, '', 'ann', '{name}', 'sdxl', '{name}', 1, '{words}', '{story}', 1, 0)"
    for name, words, story in (
        ("rex", "j dog", "Trained here for rex, a dog"),
        ("crayon", "j style", "Trained here for crayon, a style"),
        ("film", "film", "Made for SDXL"),
    )
)
_JOB = (
    "guild_id, member_id, member_name, kind, payload, state, attempt, max_attempts, restarts, cancel_requested, "
    "step, steps, cost_key, cost_units, estimated_seconds, token, created_at, run_after"
)
_OLD_ROWS = (
    "INSERT INTO guilds (id, platform, external_id, name, settings, created_at) VALUES (7, 'slack', 'T', 'g', '{}', 0)",
    f"INSERT INTO jobs ({_JOB}) "  # noqa: S608 # our own words
    "VALUES (7, 'ann', 'Ann', 'imagine', 'fox', 'queued', 0, 3, 0, false, 0, 0, 'pocket', 1, 1, 0, 0, 0)",
    "INSERT INTO guild_lanes (guild_id, waiting, waiting_seconds, score) VALUES (7, 1, 1, 500000)",
    "INSERT INTO member_lanes (guild_id, member_id, waiting, waiting_seconds, score) VALUES (7, 'ann', 1, 1, 500000)",
)


async def _upgrade(url: str, revision: str, statements: tuple[str, ...]) -> None:
    def upgrade(connection: Connection) -> None:
        command.upgrade(Config(str(INI), attributes={"connection": connection}), revision)
        for statement in statements:
            connection.execute(text(statement))

    engine = _engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


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
