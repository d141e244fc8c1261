"""A database that cannot be written for as long as a block lasts: a full disk, a read-only one, a lock of another's."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, event

from storage.database import Database
from tests.full_disk import full_disk

Trouble = Callable[[Database, Path], AbstractContextManager[None]]


@contextmanager
def full(_database: Database, _path: Path) -> Iterator[None]:
    """No file of this process may grow."""
    with full_disk(0):
        yield


@contextmanager
def read_only(database: Database, _path: Path) -> Iterator[None]:
    """As after a disk's error, when the system mounts it again for reading alone; root may write to any other."""
    engine, state = database._writer.sync_engine, "ON"

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA query_only = {state}")

    event.listen(engine, "begin", begin)
    try:
        yield
    finally:
        state = "OFF"


@contextmanager
def locked(_database: Database, path: Path) -> Iterator[None]:
    """Another program is writing, for longer than anyone waits."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


TROUBLES: Final = pytest.mark.parametrize("trouble", [full, read_only, locked])
REFUSAL: Final = (
    "Limner cannot store or read what this needs just now; try again later, or tell the person who runs it."
)
"""What every member is told, wherever they are."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that waits for a lock for a moment only."""
    monkeypatch.setattr("storage.database._BUSY_SECONDS", 0.1)
