"""Which events just arrived, so that two clicks at once do one thing, whichever processes receive them."""

from sqlalchemy import delete

from storage.database import Database
from storage.tables import deduplication


class Deduplication:
    """Remembers each key for a window, in which it is not the first again."""

    def __init__(self, database: Database, window_seconds: float = 3.0) -> None:
        self._database = database
        self._window_seconds = window_seconds

    async def is_first(self, key: str, received_id: int | None = None) -> bool:
        """Whether nobody else took `key` within the window; one atomic statement, so of two at once only one gets True.

        What was received as `received_id` and took it may come again, since its process may have been stopped.
        """
        async with self._database.write() as connection:
            now = await self._database.clock.read(connection)
            values = {"expires_at": now + self._window_seconds, "received_id": received_id}
            free = deduplication.c.expires_at <= now
            if received_id is not None:
                free |= deduplication.c.received_id == received_id
            statement = self._database.insert(deduplication).values(key=key, **values)
            statement = statement.on_conflict_do_update(index_elements=["key"], set_=values, where=free)
            return (await connection.execute(statement.returning(deduplication.c.key))).one_or_none() is not None

    async def forget_old(self) -> None:
        """Deletes the keys whose window is over."""
        async with self._database.write() as connection:
            now = await self._database.clock.read(connection)
            await connection.execute(delete(deduplication).where(deduplication.c.expires_at <= now))
