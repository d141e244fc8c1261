"""What was just heard, so that two clicks at once do one thing, whichever process hears them, and when."""

import time
from collections.abc import Callable

from sqlalchemy import delete

from storage.database import Database
from storage.tables import clicks


class Deduplication:
    """Each key for as long as its second hearing counts for nothing; `clock` tells Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time, window_seconds: float = 3.0) -> None:
        self._database = database
        self._clock = clock
        self._window_seconds = window_seconds

    async def is_first(self, key: str, window_seconds: float | None = None) -> bool:
        """Whether nobody took `key` within the window; one atomic statement, so of two at once only one hears True."""
        now = self._clock()
        until = now + (self._window_seconds if window_seconds is None else window_seconds)
        statement = self._database.insert(clicks).values(key=key, at=until)
        statement = statement.on_conflict_do_update(
            index_elements=["key"], set_={"at": until}, where=clicks.c.at <= now
        ).returning(clicks.c.key)
        async with self._database.write() as connection:
            return (await connection.execute(statement)).one_or_none() is not None

    async def forget_old(self) -> None:
        """Delete what is past its window."""
        async with self._database.write() as connection:
            await connection.execute(delete(clicks).where(clicks.c.at <= self._clock()))
