"""The database: SQLite in a file, or a PostgreSQL server, by URL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pipeline.files import make_private
from storage.clock import BootClock, Clock, Machine, ServerClock
from storage.errors import StorageError, cannot_be_opened, database_error
from storage.tables import FIRST_REVISION, SCHEMA_REVISION
from storage.write_turn import WriteTurn

_BUSY_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 10
_WAL_TRIES: Final = 100
_WAL_PAUSE_SECONDS: Final = 0.05
# A process that dies between two statements holds its row locks no longer than this.
_IDLE_IN_TRANSACTION_MS: Final = "15000"
# Any number that no other program takes: migrations of one database wait for each other.
_MIGRATION_LOCK: Final = 0x11AA_4E12


class Database:
    """An open database, shared by all that store something; close it when done.

    `clock` is the one clock of everything that waits in it.
    """

    clock: Clock

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._place = place
        self._file = _file_id(place)
        self._sqlite = engine.dialect.name == "sqlite"
        # All statements of one reading see the same moment: SQLite does so by itself, PostgreSQL when it is asked.
        moment = {} if self._sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = engine.execution_options(**moment)
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")
        # A connection of its own: what is urgent does not wait until the others give one back.
        urgent = _engine(engine.url, pool_size=1, max_overflow=0)
        self._urgent_writer = urgent.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite has one writer at a time and polls for its turn; inside a process one that is given is fair and prompt.
        self._turn = WriteTurn() if self._sqlite else None

    @classmethod
    async def open(cls, url: str, clock: Clock | None = None, machine: Machine | None = None) -> "Database":
        """Opens the database at `url`; raises StorageError when it cannot be reached or lacks migrations.

        Without a `clock` of its own it has the one that all processes share; on SQLite that counts by the `machine`,
        by default the one that this process runs on.
        """
        address = _address(url)
        place = _place(address)
        if address.get_backend_name() == "sqlite":
            _require_file(place)
        database = cls(_engine(address), place)
        try:
            await database._check_revision()
            database.clock = clock or await database._shared_clock(machine or Machine.this())
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Closes every connection."""
        await self._reader.dispose()
        await self._urgent_writer.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements only read, all of them as of one moment."""
        with database_error(self._place):
            async with self._reader.begin() as connection:
                yield connection

    @asynccontextmanager
    async def write(self, *, urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block, or leaves nothing behind.

        One that is `urgent` comes before all that wait in this process.
        """
        turn = nullcontext() if self._turn is None else self._turn.take(urgent=urgent)
        writer = self._urgent_writer if urgent else self._writer
        with database_error(self._place):
            async with turn, writer.begin() as connection:
                yield connection

    async def now(self) -> float:
        """What the clock shows, for those who need no connection besides."""
        async with self.read() as connection:
            return await self.clock.read(connection)

    async def file_time(self) -> float:
        """The time that a file written now would bear, or an earlier one: files bear the wall clock's time.

        Where the wall clock was put forward, what was written just before would seem old otherwise.
        """
        return min(await self.now(), self.clock.wall())

    def insert(self, table: Table) -> Any:
        """An INSERT that can say ON CONFLICT, which SQLAlchemy spells in each dialect's own class."""
        return sqlite.insert(table) if self._sqlite else postgresql.insert(table)

    async def check(self) -> None:
        """Reads something; raises StorageError where the database does not answer, or its file is no longer there."""
        async with self.read() as connection:
            await connection.execute(text("SELECT version_num FROM alembic_version"))
        if self._sqlite and not self._place.startswith("file:") and _file_id(self._place) != self._file:
            raise StorageError(
                f"The file of the database {self._place} was deleted or replaced; bring it back, then start again.",
                self._place,
            )

    async def size(self) -> int:
        """Bytes that the database takes."""
        query = (
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            if self._sqlite
            else "SELECT pg_database_size(current_database())"
        )
        async with self.read() as connection:
            return int((await connection.execute(text(query))).scalar_one())

    async def _shared_clock(self, machine: Machine) -> Clock:
        if not self._sqlite:
            return ServerClock()
        async with self.read() as connection:
            if (clock := await BootClock.stored(connection, machine)) is not None:
                return clock
            clock = await BootClock.new(connection, machine)
        # A file that cannot be written has only readers, who need not agree.
        with suppress(StorageError):
            async with self.write() as connection:
                return await clock.store(connection)
        return clock

    async def _check_revision(self) -> None:
        async with self.read() as connection:
            revision = await connection.run_sync(_revision)
        _refuse_older(revision)
        if revision != SCHEMA_REVISION:
            raise StorageError(
                f"The database at {self._place} has schema {revision or 'none'}, this version of Limner needs "
                f"{SCHEMA_REVISION}; run `limner migrate`.",
                self._place,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationState:
    """The schema that a database has, None before the first migration, and the newest one that there is."""

    current: str | None
    head: str


async def migration_state(url: str) -> MigrationState:
    """How far the database at `url` has been migrated; raises StorageError when it cannot be reached."""
    async with _migration(url) as connection:
        return MigrationState(current=await connection.run_sync(_revision), head=SCHEMA_REVISION)


async def migrate(url: str) -> None:
    """Brings the database at `url` to the newest schema, creating it where it is missing; raises StorageError."""
    async with _migration(url) as connection:
        revision = await connection.run_sync(_revision)
        _refuse_older(revision)
        if revision != SCHEMA_REVISION:
            await connection.run_sync(_upgrade)


@asynccontextmanager
async def _migration(url: str) -> AsyncIterator[AsyncConnection]:
    address = _address(url)
    engine = _engine(address, foreign_keys=False).execution_options(begin="BEGIN IMMEDIATE")
    try:
        with database_error(_place(address)):
            if engine.dialect.name == "sqlite":
                _require_folder(_place(address))
                await _use_wal(engine)
                _close_to_others(_place(address))
            async with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
                yield connection
    finally:
        await engine.dispose()


async def _use_wal(engine: AsyncEngine) -> None:
    # The file remembers it; setting it is refused inside a transaction, and at once while another process sets it too.
    for tries_left in reversed(range(_WAL_TRIES)):
        try:
            async with engine.execution_options(begin="").connect() as connection:
                await connection.execute(text("PRAGMA journal_mode = WAL"))
        except OperationalError as error:
            if not tries_left or getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
            await asyncio.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _refuse_older(revision: str | None) -> None:
    """Raise StorageError for a database from before the first schema that migrations begin with."""
    if revision is not None and revision < FIRST_REVISION:
        raise StorageError(
            "This data was made by a Limner from before the first release, which this one cannot read; "
            "begin with an empty data folder and database."
        )


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    # Imported here since only a migration needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(str(Path(__file__).with_name("alembic.ini")), attributes={"connection": connection})
    command.upgrade(config, "head")


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        # The text is not repeated: it may hold a password.
        raise StorageError(
            "The database URL cannot be read; write sqlite:///limner.db or postgresql://user@host/name."
        ) from None
    match address.get_backend_name():
        case "sqlite":
            return address.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return address.set(drivername="postgresql+asyncpg")
        case other:
            raise StorageError(f"Limner cannot use a database of kind {other}; use sqlite or postgresql.")


def _place(address: URL) -> str:
    if address.get_backend_name() == "sqlite":
        return address.database or ":memory:"
    host = address.host or address.query.get("host", "localhost")
    return f"{host}:{address.port or 5432}/{address.database}"


def _file_id(place: str) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None where there is none."""
    try:
        found = Path(place).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _require_file(place: str) -> None:
    # SQLite would create an empty database; a URI may name the file in ways that only SQLite knows.
    if not place.startswith("file:") and not Path(place).exists():
        raise StorageError(f"There is no database at {place} yet; run `limner migrate` to create it.", place)


def _require_folder(place: str) -> None:
    # A connection that cannot be opened leaves a thread behind, which complains where the event loop ends before it.
    if not place.startswith("file:") and not Path(place).parent.is_dir():
        raise StorageError(cannot_be_opened(place), place, passes=True)


def _close_to_others(place: str) -> None:
    """What members wrote is for this user's eyes: SQLite makes its files as readable as the umask lets it."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):  # a file of another user, or of a disk that knows no users
            make_private(Path(f"{place}{suffix}"))


def _engine(address: URL, *, foreign_keys: bool = True, **pool: int) -> AsyncEngine:
    if address.get_backend_name() == "postgresql":
        settings = {"application_name": "limner", "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_MS}
        return create_async_engine(
            address,
            connect_args={"timeout": _CONNECT_SECONDS, "server_settings": settings},
            hide_parameters=True,
            **pool,
        )
    engine = create_async_engine(address, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True, **pool)

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver would begin transactions by itself, and only at the first write: too late to wait for a turn.
        connection.isolation_level = None
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
