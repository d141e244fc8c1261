"""A database is migrated once, and one that cannot do its work says so in a sentence, without its password."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import storage
from storage.database import Database, MigrationState, migrate, migration_state
from storage.errors import StorageError
from storage.guilds.guilds import GuildStore
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from storage.tables import SCHEMA_REVISION
from tests.full_disk import full_disk
from tests.new_jobs import new_job

INI = Path(storage.__file__).with_name("alembic.ini")
PASSWORD = "geheim"


async def _why_not(url: str) -> str:
    with pytest.raises(StorageError) as raised:
        await Database.open(url)
    return str(raised.value)


async def test_missing_file_is_not_created(tmp_path: Path) -> None:
    """Opening a database that is not there names the command that makes it, and makes nothing itself."""
    path = tmp_path / "limner.db"

    assert "limner migrate" in await _why_not(f"sqlite:///{path}")
    assert not path.exists()


async def test_database_without_tables_names_the_command(fresh_url: str) -> None:
    """A database that was never migrated is refused with the command to run."""
    if fresh_url.startswith("sqlite"):
        Path(fresh_url.removeprefix("sqlite:///")).touch()

    sentence = await _why_not(fresh_url)

    assert "schema none" in sentence
    assert "limner migrate" in sentence


async def test_schema_of_another_version_is_refused(database_url: str, database: Database) -> None:
    """A database that a newer Limner has migrated is not touched by this one."""
    change = text("UPDATE alembic_version SET version_num = :revision")
    async with database.write() as connection:
        await connection.execute(change, {"revision": "9999"})
    try:
        assert "9999" in await _why_not(database_url)
    finally:
        async with database.write() as connection:
            await connection.execute(change, {"revision": SCHEMA_REVISION})


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (f"postgresql://limner:{PASSWORD}@127.0.0.1:1/limner", "127.0.0.1:1/limner"),
        (f"postgres://limner:{PASSWORD}@127.0.0.1:1/limner", "does not answer"),
        (f"limner {PASSWORD}", "sqlite:///limner.db"),
        (f"mysql://limner:{PASSWORD}@127.0.0.1/limner", "mysql"),
    ],
)
async def test_unusable_url_is_refused_without_its_password(url: str, named: str) -> None:
    """A server that does not answer, and a URL that is none, are named without what they keep secret."""
    sentence = await _why_not(url)

    assert named in sentence
    assert PASSWORD not in sentence


async def test_unknown_database_on_a_server_is_named(postgres_server: str) -> None:
    """A server that lacks the database is distinguished from one that does not answer."""
    url = make_url(postgres_server).set(database="nowhere").render_as_string()

    assert "There is no database" in await _why_not(url)


async def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """Migrating into a folder that does not exist names the file and what to check."""
    with pytest.raises(StorageError, match=r"nowhere/limner\.db cannot be opened; check that its folder exists"):
        await migrate(f"sqlite:///{tmp_path}/nowhere/limner.db")


async def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A file that is no database is named, and left as it is."""
    path = tmp_path / "limner.db"
    path.write_bytes(b"a picture, say" * 100)

    assert "not a sound SQLite database" in await _why_not(f"sqlite:///{path}")
    assert path.read_bytes() == b"a picture, say" * 100


async def test_read_only_file_reads_and_says_why_it_cannot_write(empty_sqlite: Path) -> None:
    """A read-only SQLite file can be read; writing says who needs which right."""
    database = await Database.open(f"sqlite:///file:{empty_sqlite}?mode=ro&uri=true")

    assert await GuildStore(database).get(1) is None
    with pytest.raises(StorageError, match=r"is read-only; give the user that runs Limner the right to write it\."):
        await GuildStore(database).ensure(Platform.DISCORD, "1", "Pixel People")
    await database.close()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_read_only_server_says_why_it_cannot_write(database: Database, database_url: str) -> None:
    """A PostgreSQL standby, or a database set to read only, is called that."""
    name = make_url(database_url).database
    async with database.write() as connection:
        await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    try:
        standby = await Database.open(database_url)
        with pytest.raises(StorageError, match="is read-only; connect to its primary server"):
            await GuildStore(standby).ensure(Platform.DISCORD, "1", "Pixel People")
        await standby.close()
    finally:
        async with database.write() as connection:
            await connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_full_disk_loses_no_job(database: Database) -> None:
    """When the disk is full, enqueueing says so; the jobs from before are all there, and work goes on afterwards."""
    guild = await GuildStore(database).ensure(Platform.DISCORD, "1", "Pixel People")
    queue = JobQueue(database)
    kept = [(await queue.enqueue(new_job(guild.id))).id]

    async def enqueue_for_ever() -> None:
        while True:
            kept.append((await queue.enqueue(new_job(guild.id, payload="x" * 50_000))).id)

    with full_disk(400_000), pytest.raises(StorageError, match="full or failing; free some space"):
        await enqueue_for_ever()

    assert [job.id for job in await queue.guild_jobs(guild.id, limit=100)] == kept[::-1]
    kept.append((await queue.enqueue(new_job(guild.id))).id)
    claimed = [claim.job.id for _ in kept if (claim := await queue.claim("worker-1"))]
    assert claimed == kept


async def test_size_grows_with_what_is_stored(database: Database) -> None:
    """The size is in bytes and counts what was added."""
    before = await database.size()
    guild = await GuildStore(database).ensure(Platform.DISCORD, "1", "Pixel People")
    await JobQueue(database).enqueue(new_job(guild.id, payload="x" * 1_000_000))

    assert await database.size() > before > 10_000


async def test_error_of_ours_is_not_dressed_up(database: Database) -> None:
    """A mistake in a statement is no StorageError: nobody outside can mend it."""
    with pytest.raises(Exception, match="no_such_table") as raised:
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM no_such_table"))

    assert not isinstance(raised.value, StorageError)


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


async def test_what_is_urgent_waits_for_no_connection(database: Database) -> None:
    """However many are read from: an acknowledgement may not come late because of them."""
    async with AsyncExitStack() as stack:
        for _ in range(15):
            await stack.enter_async_context(database.read())
        async with asyncio.timeout(10), database.write(urgent=True) as connection:
            assert await connection.scalar(text("SELECT 1")) == 1


def _engine(url: str) -> AsyncEngine:
    driver = "sqlite+aiosqlite" if url.startswith("sqlite") else "postgresql+asyncpg"
    return create_async_engine(url.replace(url.partition(":")[0], driver, 1))
