"""Small texts by name that must outlive a restart, such as the hash of the commands that a platform has."""

from sqlalchemy import delete, select

from storage.database import Database
from storage.tables import key_values


class KeyValues:
    """Texts by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """The text under `name`, or None."""
        async with self._database.read() as connection:
            query = select(key_values.c.text).where(key_values.c.name == name)
            return (await connection.execute(query)).scalar_one_or_none()

    async def put(self, name: str, text: str) -> None:
        """Stores `text` under `name`, in place of what was there."""
        statement = self._database.insert(key_values).values(name=name, text=text)
        statement = statement.on_conflict_do_update(index_elements=["name"], set_={"text": text})
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def drop(self, name: str) -> None:
        """Deletes the text under `name`, if there is one."""
        async with self._database.write() as connection:
            await connection.execute(delete(key_values).where(key_values.c.name == name))
